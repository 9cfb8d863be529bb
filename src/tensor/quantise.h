// What quantisers of several families of blocks share.
#pragma once

#include <cmath>
#include <cstdint>

namespace ashlar {

constexpr float kTiny = 1e-15f;  // groups below this magnitude are zero

/// The value of largest magnitude, with its sign; the first of equals.
inline float largest(const float* x, int n) {
  float best = 0.0f;
  for (int i = 0; i < n; ++i) {
    if (std::fabs(x[i]) > std::fabs(best)) best = x[i];
  }
  return best;
}

inline float reciprocal(float d) { return d != 0.0f ? 1.0f / d : 0.0f; }

/// 32 values as 16 bytes: the low four bits of what `level` says of them, value j + 16 above j.
template <class Level>
void pack_nibbles(const Level& level, uint8_t* q) {
  for (int j = 0; j < 16; ++j)
    q[j] = static_cast<uint8_t>((level(j) & 15) | ((level(j + 16) & 15) << 4));
}

}  // namespace ashlar
