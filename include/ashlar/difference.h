// One difference between two blueprints.
#pragma once

#include <string>

namespace ashlar {

/// Where, and the two values as JSON text ("-" where absent).
struct Difference {
  std::string path;  // "blocks[0..4].mixer.attention.window"
  std::string a, b;
  bool operator==(const Difference&) const = default;
};

}  // namespace ashlar
