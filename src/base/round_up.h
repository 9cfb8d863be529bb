// Sizes in whole blocks.
#pragma once

#include <cstdint>

namespace ashlar {

/// Blocks of `each` that n things fill, the last one perhaps in part.
constexpr int64_t blocks_of(int64_t n, int64_t each) { return (n + each - 1) / each; }

/// The least multiple of `to` that is no less than n.
constexpr int64_t round_up(int64_t n, int64_t to) { return blocks_of(n, to) * to; }

}  // namespace ashlar
