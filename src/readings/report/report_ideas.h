// Ideas that decoders are made of, each with a test of whether a model has it.
#pragma once

#include <span>
#include <utility>

#include "readings/draw/anatomy.h"

namespace ashlar {

enum class IdeaKind { norms, attention, positions, feed_forward, ends };
/// In the order in which they are shown.
inline constexpr std::pair<IdeaKind, const char*> kIdeaKinds[] = {
    {IdeaKind::norms, "norms and where they stand"},
    {IdeaKind::attention, "attention and what it remembers"},
    {IdeaKind::positions, "positions"},
    {IdeaKind::feed_forward, "feed-forwards and experts"},
    {IdeaKind::ends, "head and training"}};

struct Idea {
  IdeaKind kind;
  const char* name;      // "grouped queries"
  int year;              // of the publication
  const char* sentence;  // what it is and what it is for
  const char* source;
  bool (*has)(const Anatomy&);
};

/// In the order of their years.
std::span<const Idea> ideas();

}  // namespace ashlar
