// Ideas that decoders are made of, each with a test of whether a model has it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "readings/draw/anatomy.h"

namespace ashlar {

enum class IdeaKind { norms, attention, positions, feed_forward, ends };
const char* kind_name(IdeaKind kind);  // "attention and its memory"

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
