// Every number and switch of a blueprint changed, one at a time, through the visitors of its
// structs.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "blueprint/blueprint.h"
#include "blueprint/visit.h"

namespace ashlar::testing {

struct Mutation {
  std::string field;  // "heads"
  Blueprint blueprint;
  std::optional<int64_t> number;  // the new value, of a whole number
};

/// Counts the fields of one struct, and changes the one of that index.
struct Mutator {
  int target = -1, at = 0;
  std::string field;
  std::optional<int64_t> number;
  bool hit(std::string_view name) {
    if (at++ != target) return false;
    field = name;
    return true;
  }
  template <class T>
  void optional(std::string_view name, T& value) {
    (*this)(name, value);
  }
  template <class T>
  void operator()(std::string_view name, T& value) {
    if constexpr (std::is_same_v<T, int64_t>) {
      if (!hit(name)) return;
      value = value * 2 + 6;
      number = value;
    } else if constexpr (std::is_same_v<T, double>) {
      if (hit(name)) value = value * 2 + 0.5;
    } else if constexpr (std::is_same_v<T, bool>) {
      if (hit(name)) value = !value;
    }
  }
};

/// All mutations of one struct that sits in every layer (or once) of a blueprint. `part` gives the
/// struct of a block, or null where the block has another.
template <class Part>
std::vector<Mutation> mutations(const Blueprint& base, Part* (*part)(Block&)) {
  std::vector<Mutation> all;
  for (int target = 0;; ++target) {
    Mutation m{"", base, {}};
    Mutator mutator;
    bool found = false;
    for (Block& block : m.blueprint.blocks) {
      Part* p = part(block);
      if (p == nullptr) continue;
      mutator = {target};
      visit_fields(mutator, *p);
      found = found || !mutator.field.empty();
    }
    if (target > 64) return all;
    if (!found) continue;
    m.field = mutator.field;
    m.number = mutator.number;
    all.push_back(std::move(m));
  }
}

}  // namespace ashlar::testing
