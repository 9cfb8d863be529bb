// Plain floats and blocks of 32: float16, bfloat16, q4_0 .. q8_0 to float32, as ggml computes them.
#include "tensor/blocks.h"
#include "tensor/scalar.h"

namespace ashlar {
namespace {

// Bit 4 of value j, from the 32 high bits of a q5 block.
int high_bit(const uint8_t* high, int j) { return ((high[j / 8] >> (j % 8)) & 1) << 4; }

}  // namespace

void f32_copy(const void* blocks, float* x, int64_t n) {
  if (n > 0) std::memcpy(x, blocks, static_cast<size_t>(n) * sizeof(float));
}

void f16_dequantise(const void* blocks, float* x, int64_t n) {
  for_each_block<uint16_t, 1>(blocks, x, n, [](uint16_t v, float* out) { *out = f16_to_f32(v); });
}

void bf16_dequantise(const void* blocks, float* x, int64_t n) {
  for_each_block<uint16_t, 1>(blocks, x, n, [](uint16_t v, float* out) { *out = bf16_to_f32(v); });
}

void q4_0_dequantise(const void* blocks, float* x, int64_t n) {
  for_each_block<BlockQ4_0, 32>(blocks, x, n, [](const BlockQ4_0& b, float* out) {
    const float d = f16_to_f32(b.d);
    for (int j = 0; j < 16; ++j) {
      out[j] = d * static_cast<float>((b.q[j] & 15) - 8);
      out[j + 16] = d * static_cast<float>((b.q[j] >> 4) - 8);
    }
  });
}

void q4_1_dequantise(const void* blocks, float* x, int64_t n) {
  for_each_block<BlockQ4_1, 32>(blocks, x, n, [](const BlockQ4_1& b, float* out) {
    const float d = f16_to_f32(b.d), m = f16_to_f32(b.m);
    for (int j = 0; j < 16; ++j) {
      out[j] = d * static_cast<float>(b.q[j] & 15) + m;
      out[j + 16] = d * static_cast<float>(b.q[j] >> 4) + m;
    }
  });
}

void q5_0_dequantise(const void* blocks, float* x, int64_t n) {
  for_each_block<BlockQ5_0, 32>(blocks, x, n, [](const BlockQ5_0& b, float* out) {
    const float d = f16_to_f32(b.d);
    for (int j = 0; j < 16; ++j) {
      out[j] = d * static_cast<float>(((b.q[j] & 15) | high_bit(b.high, j)) - 16);
      out[j + 16] = d * static_cast<float>(((b.q[j] >> 4) | high_bit(b.high, j + 16)) - 16);
    }
  });
}

void q5_1_dequantise(const void* blocks, float* x, int64_t n) {
  for_each_block<BlockQ5_1, 32>(blocks, x, n, [](const BlockQ5_1& b, float* out) {
    const float d = f16_to_f32(b.d), m = f16_to_f32(b.m);
    for (int j = 0; j < 16; ++j) {
      out[j] = d * static_cast<float>((b.q[j] & 15) | high_bit(b.high, j)) + m;
      out[j + 16] = d * static_cast<float>((b.q[j] >> 4) | high_bit(b.high, j + 16)) + m;
    }
  });
}

void q8_0_dequantise(const void* blocks, float* x, int64_t n) {
  for_each_block<BlockQ8_0, 32>(blocks, x, n, [](const BlockQ8_0& b, float* out) {
    const float d = f16_to_f32(b.d);
    for (int j = 0; j < 32; ++j) out[j] = d * static_cast<float>(b.q[j]);
  });
}

}  // namespace ashlar
