// Named axes: what a dimension means, for shape errors, formulas, drawings and sharding.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ashlar {

struct Axis {
  std::string name;
  int64_t size = 0;
  bool operator==(const Axis&) const = default;
};
using Axes = std::vector<Axis>;

/// The name of the leading axis of every value that has one row per token; its size is the batch's.
inline constexpr std::string_view kTokensAxis = "tokens";
inline constexpr int64_t kTokensSize = -1;
inline Axis tokens_axis() { return {std::string(kTokensAxis), kTokensSize}; }

enum class Kind : uint8_t {
  real,   // numbers that gradients flow through
  index,  // token ids, chosen experts
};

/// What a value or parameter is. A per-token value begins with the tokens axis; a parameter does
/// not.
struct Type {
  Kind kind = Kind::real;
  Axes axes;
  bool operator==(const Type&) const = default;
  bool per_token() const { return !axes.empty() && axes[0].name == kTokensAxis; }
  /// Axes without the tokens axis.
  Axes features() const { return {axes.begin() + (per_token() ? 1 : 0), axes.end()}; }
  /// Elements per token (or in all, for a parameter).
  int64_t feature_count() const {
    int64_t n = 1;
    for (const Axis& a : axes) n *= a.size == kTokensSize ? 1 : a.size;
    return n;
  }
};

inline int64_t count_of(const Axes& axes) {
  int64_t n = 1;
  for (const Axis& a : axes) n *= a.size;
  return n;
}

std::string to_string(const Axes& axes);  // "[tokens, heads=16, head_dim=128]"
std::string to_string(const Type& type);  // as above; an index type is prefixed by "index "

}  // namespace ashlar
