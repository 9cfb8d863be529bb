// From float32 to plain floats and to blocks of 32, value for value as ggml's reference quantisers.
#include <algorithm>
#include <cmath>

#include "tensor/blocks.h"
#include "tensor/scalar.h"

namespace ashlar {
namespace {

// The value of largest magnitude, with its sign; the first of equals.
float largest(const float* x, int n) {
  float best = 0.0f, magnitude = 0.0f;
  for (int j = 0; j < n; ++j) {
    if (magnitude < std::fabs(x[j])) {
      magnitude = std::fabs(x[j]);
      best = x[j];
    }
  }
  return best;
}

float reciprocal(float d) { return d != 0.0f ? 1.0f / d : 0.0f; }

// Truncates toward zero into [0, top]; what no int can hold (the scale's reciprocal overflowed,
// NaN) is 0.
int level(float v, int top) {
  if (!(v > 0.0f && v < 0x1p31f)) return 0;
  return std::min(static_cast<int>(v), top);
}

struct Range {
  float min, max;
};
Range range_of(const float* x, int n) {
  Range r = {x[0], x[0]};
  for (int j = 1; j < n; ++j) {
    r.min = std::min(r.min, x[j]);
    r.max = std::max(r.max, x[j]);
  }
  return r;
}

void set_high_bits(uint8_t* high, int j, int q) {
  high[j / 8] = static_cast<uint8_t>(high[j / 8] | (((q >> 4) & 1) << (j % 8)));
}

}  // namespace

void f32_store(const float* x, void* blocks, int64_t n) {
  if (n > 0) std::memcpy(blocks, x, static_cast<size_t>(n) * sizeof(float));
}

void f16_quantise(const float* x, void* blocks, int64_t n) {
  make_each_block<uint16_t, 1>(x, blocks, n,
                               [](const float* v, uint16_t& b) { b = f32_to_f16(*v); });
}

void bf16_quantise(const float* x, void* blocks, int64_t n) {
  make_each_block<uint16_t, 1>(x, blocks, n,
                               [](const float* v, uint16_t& b) { b = f32_to_bf16(*v); });
}

void q4_0_quantise(const float* x, void* blocks, int64_t n) {
  make_each_block<BlockQ4_0, 32>(x, blocks, n, [](const float* v, BlockQ4_0& b) {
    const float d = largest(v, 32) / -8, inverse = reciprocal(d);
    b.d = f32_to_f16(d);
    for (int j = 0; j < 16; ++j) {
      const int low = level(v[j] * inverse + 8.5f, 15),
                high = level(v[j + 16] * inverse + 8.5f, 15);
      b.q[j] = static_cast<uint8_t>(low | (high << 4));
    }
  });
}

void q4_1_quantise(const float* x, void* blocks, int64_t n) {
  make_each_block<BlockQ4_1, 32>(x, blocks, n, [](const float* v, BlockQ4_1& b) {
    const Range r = range_of(v, 32);
    const float d = (r.max - r.min) / 15, inverse = reciprocal(d);
    b.d = f32_to_f16(d);
    b.m = f32_to_f16(r.min);
    for (int j = 0; j < 16; ++j) {
      const int low = level((v[j] - r.min) * inverse + 0.5f, 15);
      const int high = level((v[j + 16] - r.min) * inverse + 0.5f, 15);
      b.q[j] = static_cast<uint8_t>(low | (high << 4));
    }
  });
}

void q5_0_quantise(const float* x, void* blocks, int64_t n) {
  make_each_block<BlockQ5_0, 32>(x, blocks, n, [](const float* v, BlockQ5_0& b) {
    const float d = largest(v, 32) / -16, inverse = reciprocal(d);
    b.d = f32_to_f16(d);
    for (int j = 0; j < 16; ++j) {
      const int low = level(v[j] * inverse + 16.5f, 31),
                high = level(v[j + 16] * inverse + 16.5f, 31);
      b.q[j] = static_cast<uint8_t>((low & 15) | ((high & 15) << 4));
      set_high_bits(b.high, j, low);
      set_high_bits(b.high, j + 16, high);
    }
  });
}

void q5_1_quantise(const float* x, void* blocks, int64_t n) {
  make_each_block<BlockQ5_1, 32>(x, blocks, n, [](const float* v, BlockQ5_1& b) {
    const Range r = range_of(v, 32);
    const float d = (r.max - r.min) / 31, inverse = reciprocal(d);
    b.d = f32_to_f16(d);
    b.m = f32_to_f16(r.min);
    for (int j = 0; j < 16; ++j) {
      const int low = level((v[j] - r.min) * inverse + 0.5f, 31);
      const int high = level((v[j + 16] - r.min) * inverse + 0.5f, 31);
      b.q[j] = static_cast<uint8_t>((low & 15) | ((high & 15) << 4));
      set_high_bits(b.high, j, low);
      set_high_bits(b.high, j + 16, high);
    }
  });
}

void q8_0_quantise(const float* x, void* blocks, int64_t n) {
  make_each_block<BlockQ8_0, 32>(x, blocks, n, [](const float* v, BlockQ8_0& b) {
    const float d = std::fabs(largest(v, 32)) / 127, inverse = reciprocal(d);
    b.d = f32_to_f16(d);
    for (int j = 0; j < 32; ++j) {
      const float q = std::round(v[j] * inverse);
      b.q[j] = static_cast<int8_t>(std::isfinite(q) ? std::clamp(q, -128.0f, 127.0f) : 0.0f);
    }
  });
}

}  // namespace ashlar
