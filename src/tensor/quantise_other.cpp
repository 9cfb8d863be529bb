// From float32 to the table formats iq4_nl, iq4_xs and mxfp4, value for value as ggml's quantisers.
#include <algorithm>
#include <cmath>

#include "tensor/blocks.h"
#include "tensor/quantise.h"

namespace ashlar {
namespace {

// Index of the level nearest to v; the upper one of two equally near.
int nearest_iq4(float v) {
  if (!(v > static_cast<float>(kIq4[0]))) return 0;
  if (v >= static_cast<float>(kIq4[15])) return 15;
  int low = 0, high = 15;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (v < static_cast<float>(kIq4[middle]) ? high : low) = middle;
  }
  const float below = v - static_cast<float>(kIq4[high - 1]),
              above = static_cast<float>(kIq4[high]) - v;
  return below < above ? high - 1 : high;
}

// The scale of 32 values ~ scale * level that minimises the error weighted by x^2, over 15 trial
// scales.
float fit_iq4(const float* x) {
  constexpr int kLen = 32, kTries = 7;
  const float max = largest(x, kLen);
  if (!(std::fabs(max) >= kTiny)) return 0.0f;
  float scale = 0.0f, best = 0.0f;
  const auto attempt = [&](float inverse, bool first) {
    float sum_qx = 0.0f, sum_q2 = 0.0f;
    for (int i = 0; i < kLen; ++i) {
      const auto q = static_cast<float>(kIq4[nearest_iq4(inverse * x[i])]);
      const float w = x[i] * x[i];
      sum_qx += w * q * x[i];
      sum_q2 += w * q * q;
    }
    if (!first && !(sum_q2 > 0 && sum_qx * sum_qx > best * sum_q2)) return;
    scale = sum_q2 > 0 ? sum_qx / sum_q2 : 0.0f;
    best = scale * sum_qx;
  };
  attempt(1 / (-max / static_cast<float>(kIq4[0])), true);
  for (int i = -kTries; i <= kTries; ++i) attempt(static_cast<float>(i + kIq4[0]) / max, false);
  return scale;
}

void pack_iq4(const float* x, float scale, uint8_t* q) {
  const float inverse = reciprocal(scale);
  pack_nibbles([&](int j) { return nearest_iq4(inverse * x[j]); }, q);
}

// Index of the e2m1 value nearest to x / (d / 2); the first of equally near ones.
int nearest_mxfp4(float x, float d) {
  int best = 0;
  float error = std::fabs(0.0f - x);
  for (int i = 1; i < 16; ++i) {
    const float other = std::fabs(static_cast<float>(kMxfp4[i]) * d - x);
    if (other < error) {
      error = other;
      best = i;
    }
  }
  return best;
}

}  // namespace

void encode(const float* x, BlockIq4Nl& b) {
  const float scale = fit_iq4(x);
  b.d = f32_to_f16(scale);
  pack_iq4(x, scale, b.q);
}

void encode(const float* x, BlockIq4Xs& b) {
  float scales[8];
  for (int group = 0; group < 8; ++group) scales[group] = fit_iq4(x + group * 32);
  const float d = -largest(scales, 8) / 32, inverse = reciprocal(d);
  b.d = f32_to_f16(d);
  for (int group = 0; group < 8; ++group) {
    const float rounded = std::nearbyint(inverse * scales[group]);
    const int scale =
        std::isfinite(rounded) ? static_cast<int>(std::clamp(rounded, -32.0f, 31.0f)) : 0;
    const float ds = d * static_cast<float>(scale);
    pack_iq4(x + group * 32, ds, b.q + group * 16);
    const int bits = scale + 32;
    uint8_t& low = b.scales_low[group / 2];
    low = static_cast<uint8_t>(low | ((bits & 15) << (group % 2 * 4)));
    b.scales_high = static_cast<uint16_t>(b.scales_high | ((bits >> 4) << (2 * group)));
  }
}

void encode(const float* x, BlockMxfp4& b) {
  const float max = std::fabs(largest(x, 32));
  const float exponent = max > 0.0f ? std::floor(std::log2(max)) - 2 + 127 : 0.0f;
  b.e = static_cast<uint8_t>(std::clamp(exponent, 0.0f, 254.0f));
  const float d = std::ldexp(1.0f, b.e - 128);
  pack_nibbles([&](int j) { return nearest_mxfp4(x[j], d); }, b.q);
}

}  // namespace ashlar
