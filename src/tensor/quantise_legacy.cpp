// From float32 to blocks of 32, value for value as ggml's reference quantisers.
#include <algorithm>
#include <cmath>

#include "tensor/blocks.h"
#include "tensor/quantise.h"

namespace ashlar {
namespace {

// Truncates toward zero into [0, top]; what no int can hold (the scale's reciprocal overflowed,
// NaN) is 0.
int level(float v, int top) {
  if (!(v > 0.0f && v < 0x1p31f)) return 0;
  return std::min(static_cast<int>(v), top);
}

// Levels of 32 values: their low four bits to b.q, bit 4 where there is one to b.high.
template <class Block>
void pack_levels(const int* levels, Block& b) {
  pack_nibbles([&](int j) { return levels[j]; }, b.q);
  if constexpr (requires { b.high; }) {
    for (int j = 0; j < 32; ++j)
      b.high[j / 8] = static_cast<uint8_t>(b.high[j / 8] | ((levels[j] >> 4) << (j % 8)));
  }
}

// x = d (q - half), q below 2 half.
template <class Block>
void encode_symmetric(const float* x, int half, Block& b) {
  const float d = largest(x, 32) / static_cast<float>(-half), inverse = reciprocal(d);
  b.d = f32_to_f16(d);
  int levels[32];
  for (int j = 0; j < 32; ++j)
    levels[j] = level(x[j] * inverse + (static_cast<float>(half) + 0.5f), 2 * half - 1);
  pack_levels(levels, b);
}

// x = d q + m, q up to `top`.
template <class Block>
void encode_affine(const float* x, int top, Block& b) {
  float min = x[0], max = x[0];
  for (int j = 1; j < 32; ++j) {
    min = std::min(min, x[j]);
    max = std::max(max, x[j]);
  }
  const float d = (max - min) / static_cast<float>(top), inverse = reciprocal(d);
  b.d = f32_to_f16(d);
  b.m = f32_to_f16(min);
  int levels[32];
  for (int j = 0; j < 32; ++j) levels[j] = level((x[j] - min) * inverse + 0.5f, top);
  pack_levels(levels, b);
}

}  // namespace

void encode(const float* x, BlockQ4_0& b) { encode_symmetric(x, 8, b); }
void encode(const float* x, BlockQ4_1& b) { encode_affine(x, 15, b); }
void encode(const float* x, BlockQ5_0& b) { encode_symmetric(x, 16, b); }
void encode(const float* x, BlockQ5_1& b) { encode_affine(x, 31, b); }

void encode(const float* x, BlockQ8_0& b) {
  const float d = std::fabs(largest(x, 32)) / 127, inverse = reciprocal(d);
  b.d = f32_to_f16(d);
  for (int j = 0; j < 32; ++j) {
    const float q = std::round(x[j] * inverse);
    b.q[j] = static_cast<int8_t>(std::isfinite(q) ? std::clamp(q, -128.0f, 127.0f) : 0.0f);
  }
}

}  // namespace ashlar
