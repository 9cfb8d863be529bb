// Cards: what is known about a released model beside its architecture (cards/models.json).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ashlar {

struct Card {
  std::string organisation;
  std::string date;     // of the release: "2025-08"
  std::string licence;  // SPDX name or the licence's own
  std::string weights;  // as released: "bf16", "f32", "fp8_b128", "mxfp4", "int4_g32"
  std::string paper;    // links; empty: none
  std::string page;     // of the checkpoint
  std::string note;     // what the blueprint leaves out of it; mostly empty
};

/// The card of a blueprint of the library; nothing for names without one. Throws Error(format) for
/// a damaged file. $ASHLAR_CARDS names another file. Thread-safe.
std::optional<Card> card_of(std::string_view name);

}  // namespace ashlar
