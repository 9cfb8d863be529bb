// Blocks of 32, q4_0 .. q8_0, to float32, as ggml computes them.
#include "tensor/blocks.h"

namespace ashlar {
namespace {

// Bit 4 of value j, from the 32 high bits of a q5 block.
int high_bit(const uint8_t* high, int j) { return ((high[j / 8] >> (j % 8)) & 1) << 4; }

}  // namespace

void decode(const BlockQ4_0& b, float* x) {
  const float d = f16_to_f32(b.d);
  for (int j = 0; j < 16; ++j) {
    x[j] = d * static_cast<float>((b.q[j] & 15) - 8);
    x[j + 16] = d * static_cast<float>((b.q[j] >> 4) - 8);
  }
}

void decode(const BlockQ4_1& b, float* x) {
  const float d = f16_to_f32(b.d), m = f16_to_f32(b.m);
  for (int j = 0; j < 16; ++j) {
    x[j] = d * static_cast<float>(b.q[j] & 15) + m;
    x[j + 16] = d * static_cast<float>(b.q[j] >> 4) + m;
  }
}

void decode(const BlockQ5_0& b, float* x) {
  const float d = f16_to_f32(b.d);
  for (int j = 0; j < 16; ++j) {
    x[j] = d * static_cast<float>(((b.q[j] & 15) | high_bit(b.high, j)) - 16);
    x[j + 16] = d * static_cast<float>(((b.q[j] >> 4) | high_bit(b.high, j + 16)) - 16);
  }
}

void decode(const BlockQ5_1& b, float* x) {
  const float d = f16_to_f32(b.d), m = f16_to_f32(b.m);
  for (int j = 0; j < 16; ++j) {
    x[j] = d * static_cast<float>((b.q[j] & 15) | high_bit(b.high, j)) + m;
    x[j + 16] = d * static_cast<float>((b.q[j] >> 4) | high_bit(b.high, j + 16)) + m;
  }
}

void decode(const BlockQ8_0& b, float* x) {
  const float d = f16_to_f32(b.d);
  for (int j = 0; j < 32; ++j) x[j] = d * static_cast<float>(b.q[j]);
}

}  // namespace ashlar
