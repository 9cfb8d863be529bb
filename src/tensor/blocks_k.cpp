// K-quants to float32: super-blocks of 256 values whose groups have quantised scales, as ggml
// computes them.
#include "tensor/blocks.h"

namespace ashlar {

void decode(const BlockQ2K& b, float* x) {
  const float d = f16_to_f32(b.d), m = f16_to_f32(b.m);
  for (int group = 0; group < 16; ++group) {
    const float scale = d * static_cast<float>(b.scales[group] & 15);
    const float min = m * static_cast<float>(b.scales[group] >> 4);
    // 128 values share 32 bytes, two bits at a time; a group is half of such a run.
    const uint8_t* q = b.q + group / 8 * 32 + group % 2 * 16;
    const int shift = group % 8 / 2 * 2;
    for (int j = 0; j < 16; ++j) {
      x[group * 16 + j] = scale * static_cast<float>((q[j] >> shift) & 3) - min;
    }
  }
}

void decode(const BlockQ3K& b, float* x) {
  const float d = f16_to_f32(b.d);
  for (int group = 0; group < 16; ++group) {
    const int low = (b.scales[group % 8] >> (group / 8 * 4)) & 15;
    const int high = (b.scales[8 + group % 4] >> (group / 4 * 2)) & 3;
    const float scale = d * static_cast<float>((low | (high << 4)) - 32);
    const uint8_t* q = b.q + group / 8 * 32 + group % 2 * 16;
    const uint8_t* mask = b.high + group % 2 * 16;
    const int shift = group % 8 / 2 * 2, bit = group / 2;
    for (int j = 0; j < 16; ++j) {
      const int value = ((q[j] >> shift) & 3) - (((mask[j] >> bit) & 1) ? 0 : 4);
      x[group * 16 + j] = scale * static_cast<float>(value);
    }
  }
}

void decode(const BlockQ4K& b, float* x) {
  const float d = f16_to_f32(b.d), m = f16_to_f32(b.m);
  float ds[8], dm[8];
  for (int group = 0; group < 8; ++group) {
    int scale = 0, min = 0;
    scale_min_k4(group, b.scales, &scale, &min);
    ds[group] = d * static_cast<float>(scale);
    dm[group] = m * static_cast<float>(min);
  }
  for (int group = 0; group < 8; group += 2) {
    const uint8_t* q = b.q + group * 16;
    float* y = x + group * 32;
    for (int j = 0; j < 32; ++j) y[j] = ds[group] * static_cast<float>(q[j] & 15) - dm[group];
    for (int j = 0; j < 32; ++j) {
      y[j + 32] = ds[group + 1] * static_cast<float>(q[j] >> 4) - dm[group + 1];
    }
  }
}

void decode(const BlockQ5K& b, float* x) {
  const float d = f16_to_f32(b.d), m = f16_to_f32(b.m);
  for (int group = 0; group < 8; ++group) {
    int scale = 0, min = 0;
    scale_min_k4(group, b.scales, &scale, &min);
    const float ds = d * static_cast<float>(scale), dm = m * static_cast<float>(min);
    const uint8_t* q = b.q + group / 2 * 32;
    const int shift = group % 2 * 4;
    for (int j = 0; j < 32; ++j) {
      const int value = ((q[j] >> shift) & 15) | (((b.high[j] >> group) & 1) << 4);
      x[group * 32 + j] = ds * static_cast<float>(value) - dm;
    }
  }
}

void decode(const BlockQ6K& b, float* x) {
  const float d = f16_to_f32(b.d);
  for (int group = 0; group < 16; ++group) {
    const float scale = d * static_cast<float>(b.scales[group]);
    // Each half of 128 values: 64 bytes of low nibbles (first 64 values low, last 64 high), 32 of
    // high pairs.
    const int half = group / 8, at = group % 8 * 16;
    const uint8_t* low = b.low + half * 64 + at % 64;
    const uint8_t* high = b.high + half * 32 + at % 32;
    const int low_shift = at / 64 * 4, high_shift = at / 32 * 2;
    for (int j = 0; j < 16; ++j) {
      const int value = ((low[j] >> low_shift) & 15) | (((high[j] >> high_shift) & 3) << 4);
      x[group * 16 + j] = scale * static_cast<float>(value - 32);
    }
  }
}

}  // namespace ashlar
