// From float32 to K-quants, value for value as ggml's reference quantisers (without importance
// matrix).
//
// Each group of 16 or 32 values gets a float scale (and minimum) that minimises a weighted squared
// error over a few trial scales; the super-block then rounds these to 4 or 6 bits and the values to
// their levels. The order of float operations is part of the result: sums run forward, products
// left to right.
#include <algorithm>
#include <array>
#include <cmath>

#include "tensor/blocks.h"
#include "tensor/quantise.h"

namespace ashlar {
namespace {

// Round to nearest even for |v| < 2^22; other values give some integer, which callers clamp.
int nearest(float v) {
  const auto bits = std::bit_cast<int32_t>(v + 12582912.0f);  // 1.5 * 2^23
  return (bits & 0x007fffff) - 0x00400000;
}
int nearest(float v, int low, int high) { return std::clamp(nearest(v), low, high); }

// x ~ scale * level + min, min <= 0.
struct Affine {
  float scale = 0.0f, minus_min = 0.0f;
};

enum class Measure { squared, absolute };

// Tries scales (first + step i + top) / range, refits scale and minimum to each choice of levels by
// weighted least squares, and keeps the best with its levels. Later tries start from the best
// minimum so far.
template <int kLen>
Affine fit_affine(const float* x, const float* weights, int top, float first, float step, int steps,
                  Measure measure, uint8_t* best_levels) {
  float min = x[0], max = x[0], sum_w = weights[0], sum_x = sum_w * x[0];
  for (int i = 1; i < kLen; ++i) {
    min = std::min(min, x[i]);
    max = std::max(max, x[i]);
    sum_w += weights[i];
    sum_x += weights[i] * x[i];
  }
  min = std::min(min, 0.0f);
  std::fill_n(best_levels, kLen, uint8_t{0});
  if (!(max > min)) return {0.0f, -min};

  std::array<float, kLen> levels;
  const auto choose = [&](float inverse) {
    for (int i = 0; i < kLen; ++i) {
      levels[static_cast<size_t>(i)] = static_cast<float>(nearest(inverse * (x[i] - min), 0, top));
    }
  };
  const auto keep = [&] {
    for (int i = 0; i < kLen; ++i)
      best_levels[i] = static_cast<uint8_t>(levels[static_cast<size_t>(i)]);
  };
  const auto error_of = [&](float scale, float shift) {
    float error = 0.0f;
    for (int i = 0; i < kLen; ++i) {
      const float difference = scale * levels[static_cast<size_t>(i)] + shift - x[i];
      error += weights[i] *
               (measure == Measure::absolute ? std::fabs(difference) : difference * difference);
    }
    return error;
  };

  const float inverse = static_cast<float>(top) / (max - min);
  float scale = 1 / inverse;
  choose(inverse);
  keep();
  float best = error_of(scale, min);
  for (int s = 0; s <= steps; ++s) {
    choose((first + step * static_cast<float>(s) + static_cast<float>(top)) / (max - min));
    float sum_l = 0.0f, sum_l2 = 0.0f, sum_xl = 0.0f;
    for (int i = 0; i < kLen; ++i) {
      const float l = levels[static_cast<size_t>(i)], wl = weights[i] * l;
      sum_l += wl;
      sum_l2 += wl * l;
      sum_xl += wl * x[i];
    }
    const float determinant = sum_w * sum_l2 - sum_l * sum_l;
    if (!(determinant > 0)) continue;
    float trial_scale = (sum_w * sum_xl - sum_x * sum_l) / determinant;
    float trial_min = (sum_l2 * sum_x - sum_l * sum_xl) / determinant;
    if (trial_min > 0) {
      trial_min = 0;
      trial_scale = sum_xl / sum_l2;
    }
    const float error = error_of(trial_scale, trial_min);
    if (error < best) {
      best = error;
      scale = trial_scale;
      min = trial_min;
      keep();
    }
  }
  return {scale, -min};
}

// The levels of a super-block. A group whose rounded scale is zero keeps the levels of its fit:
// they do not matter for the values, only for equality of bytes.
struct Levels {
  std::array<uint8_t, kSuper> q;
  uint8_t& operator[](int i) { return q[static_cast<size_t>(i)]; }
  uint8_t* from(int i) { return q.data() + i; }
};

// Of `len` values the levels from `low` to `high`, counted from `low`, for the scale and the
// subtracted minimum as they are kept.
void choose_levels(const float* x, int len, float d, float m, int low, int high, uint8_t* levels) {
  if (d == 0.0f) return;
  for (int i = 0; i < len; ++i)
    levels[i] = static_cast<uint8_t>(nearest((x[i] + m) / d, low, high) - low);
}

// ---- q2_k, q4_k and q5_k: groups with scales and minima of 4 or 6 bits.

template <int kLen>
struct Scales {
  uint16_t d, m;
  int scale[kSuper / kLen], min[kSuper / kLen];
};

// `top`: of the levels; `most`: of scales and minima.
template <int kLen>
Scales<kLen> fit_groups(const float* x, int top, int most, float first, int steps, Measure measure,
                        Levels& levels) {
  constexpr int kGroups = kSuper / kLen;
  Affine fits[kGroups];
  float max_scale = 0.0f, max_min = 0.0f;
  for (int group = 0; group < kGroups; ++group) {
    const float* v = x + group * kLen;
    float sum = 0.0f;
    for (int i = 0; i < kLen; ++i) sum += v[i] * v[i];
    const float mean = measure == Measure::squared ? std::sqrt(sum / kLen) : 0.0f;
    float weights[kLen];
    for (int i = 0; i < kLen; ++i) weights[i] = mean + std::fabs(v[i]);
    fits[group] =
        fit_affine<kLen>(v, weights, top, first, 0.1f, steps, measure, levels.from(group * kLen));
    max_scale = std::max(max_scale, fits[group].scale);
    max_min = std::max(max_min, fits[group].minus_min);
  }
  const auto largest_bits = static_cast<float>(most);
  const float inverse_scale = max_scale > 0 ? largest_bits / max_scale : 0.0f;
  const float inverse_min = max_min > 0 ? largest_bits / max_min : 0.0f;
  Scales<kLen> s = {
      f32_to_f16(max_scale / largest_bits), f32_to_f16(max_min / largest_bits), {}, {}};
  for (int group = 0; group < kGroups; ++group) {
    s.scale[group] = nearest(inverse_scale * fits[group].scale, 0, most);
    s.min[group] = nearest(inverse_min * fits[group].minus_min, 0, most);
    choose_levels(x + group * kLen, kLen, f16_to_f32(s.d) * static_cast<float>(s.scale[group]),
                  f16_to_f32(s.m) * static_cast<float>(s.min[group]), 0, top,
                  levels.from(group * kLen));
  }
  return s;
}

// q4_k and q5_k: the low four bits of levels to b.q, bit 4 where there is one to b.high.
template <class Block>
void encode_groups_of_32(const float* x, int top, float first, int steps, Block& b) {
  Levels levels;
  const auto s = fit_groups<32>(x, top, 63, first, steps, Measure::squared, levels);
  b.d = s.d;
  b.m = s.m;
  for (int group = 0; group < 4; ++group) {
    const int scale = s.scale[group + 4], min = s.min[group + 4];
    b.scales[group] = static_cast<uint8_t>(s.scale[group] | ((scale >> 4) << 6));
    b.scales[group + 4] = static_cast<uint8_t>(s.min[group] | ((min >> 4) << 6));
    b.scales[group + 8] = static_cast<uint8_t>((scale & 15) | ((min & 15) << 4));
  }
  for (int i = 0; i < 128; ++i) {
    const int from = i / 32 * 64 + i % 32;
    b.q[i] = static_cast<uint8_t>((levels[from] & 15) | ((levels[from + 32] & 15) << 4));
  }
  if constexpr (requires { b.high; }) {
    for (int i = 0; i < kSuper; ++i)
      b.high[i % 32] = static_cast<uint8_t>(b.high[i % 32] | ((levels[i] >> 4) << (i / 32)));
  }
}

// ---- q6_k: symmetric groups of 16.

// x ~ scale * level, level in [-top, top); trial scales around -top / largest, weights x^2.
float fit_symmetric(const float* x, int top, uint8_t* best_levels) {
  constexpr int kLen = 16;
  const float max = largest(x, kLen);
  std::fill_n(best_levels, kLen, uint8_t{0});
  if (std::fabs(max) < kTiny) return 0.0f;
  float scale = 0.0f, best = 0.0f;
  const auto attempt = [&](float inverse, bool first) {
    float sum_lx = 0.0f, sum_l2 = 0.0f;
    std::array<int, kLen> levels;
    for (size_t i = 0; i < kLen; ++i) {
      levels[i] = nearest(inverse * x[i], -top, top - 1);
      const auto l = static_cast<float>(levels[i]);
      const float w = x[i] * x[i];
      sum_lx += w * x[i] * l;
      sum_l2 += w * l * l;
    }
    if (!first && !(sum_l2 > 0 && sum_lx * sum_lx > best * sum_l2)) return;
    scale = sum_l2 != 0.0f ? sum_lx / sum_l2 : 0.0f;
    best = scale * sum_lx;
    for (size_t i = 0; i < kLen; ++i) best_levels[i] = static_cast<uint8_t>(levels[i] + top);
  };
  attempt(static_cast<float>(-top) / max, true);
  for (int s = -9; s <= 9; ++s) {
    if (s != 0) attempt(-(static_cast<float>(top) + 0.1f * static_cast<float>(s)) / max, false);
  }
  return scale;
}

// ---- q3_k: symmetric groups of 16, levels improved one by one.

float fit_q3(const float* x, uint8_t* best_levels) {
  constexpr int kLen = 16, kTop = 4;
  const float max = largest(x, kLen);
  std::fill_n(best_levels, kLen, uint8_t{0});
  if (std::fabs(max) < kTiny) return 0.0f;
  const float inverse = -kTop / max;
  float sum_lx = 0.0f, sum_l2 = 0.0f;
  std::array<int, kLen> levels;
  for (size_t i = 0; i < kLen; ++i) {
    levels[i] = nearest(inverse * x[i], -kTop, kTop - 1);
    const auto l = static_cast<float>(levels[i]);
    const float w = x[i] * x[i];
    sum_lx += w * x[i] * l;
    sum_l2 += w * l * l;
  }
  bool changed = true;
  for (int round = 0; round < 5 && changed; ++round) {
    changed = false;
    for (size_t i = 0; i < kLen; ++i) {
      const auto l = static_cast<float>(levels[i]);
      const float w = x[i] * x[i];
      float lx = sum_lx - w * x[i] * l;
      if (!(lx > 0)) continue;
      float l2 = sum_l2 - w * l * l;
      const int other = nearest(x[i] * l2 / lx, -kTop, kTop - 1);
      if (other == levels[i]) continue;
      const auto o = static_cast<float>(other);
      lx += w * x[i] * o;
      l2 += w * o * o;
      if (l2 > 0 && lx * lx * sum_l2 > sum_lx * sum_lx * l2) {
        levels[i] = other;
        sum_lx = lx;
        sum_l2 = l2;
        changed = true;
      }
    }
  }
  for (size_t i = 0; i < kLen; ++i) best_levels[i] = static_cast<uint8_t>(levels[i] + kTop);
  return sum_l2 > 0.0f ? sum_lx / sum_l2 : 0.0f;
}

// Two-bit values: 128 of them share 32 bytes.
void pack_pairs(Levels& levels, uint8_t* q) {
  for (int i = 0; i < 64; ++i) {
    const int from = i / 32 * 128 + i % 32;
    q[i] = static_cast<uint8_t>(levels[from] | (levels[from + 32] << 2) | (levels[from + 64] << 4) |
                                (levels[from + 96] << 6));
  }
}

}  // namespace

void encode(const float* x, BlockQ2K& b) {
  Levels levels;
  const auto s = fit_groups<16>(x, 3, 15, -0.5f, 15, Measure::absolute, levels);
  b.d = s.d;
  b.m = s.m;
  for (int group = 0; group < 16; ++group)
    b.scales[group] = static_cast<uint8_t>(s.scale[group] | (s.min[group] << 4));
  pack_pairs(levels, b.q);
}

void encode(const float* x, BlockQ3K& b) {
  float scales[16];
  Levels levels;
  for (int group = 0; group < 16; ++group)
    scales[group] = fit_q3(x + group * 16, levels.from(group * 16));
  const float max_scale = largest(scales, 16);
  const float inverse = max_scale != 0.0f ? -32.0f / max_scale : 0.0f;
  b.d = f32_to_f16(max_scale != 0.0f ? 1 / inverse : 0.0f);
  for (int group = 0; group < 16; ++group) {
    const int scale = max_scale != 0.0f ? nearest(inverse * scales[group], -32, 31) + 32 : 0;
    uint8_t& low = b.scales[group % 8];
    uint8_t& high = b.scales[8 + group % 4];
    low = static_cast<uint8_t>(low | ((scale & 15) << (group / 8 * 4)));
    high = static_cast<uint8_t>(high | ((scale >> 4) << (group / 4 * 2)));
    const float d = f16_to_f32(b.d) * static_cast<float>(scale - 32);
    choose_levels(x + group * 16, 16, d, 0.0f, -4, 3, levels.from(group * 16));
  }
  for (int i = 0; i < kSuper; ++i) {
    if (levels[i] < 4) continue;
    b.high[i % 32] = static_cast<uint8_t>(b.high[i % 32] | (1 << (i / 32)));
    levels[i] = static_cast<uint8_t>(levels[i] - 4);
  }
  pack_pairs(levels, b.q);
}

void encode(const float* x, BlockQ4K& b) { encode_groups_of_32(x, 15, -1.0f, 20, b); }
void encode(const float* x, BlockQ5K& b) { encode_groups_of_32(x, 31, -0.5f, 15, b); }

void encode(const float* x, BlockQ6K& b) {
  float scales[16];
  Levels levels;
  for (int group = 0; group < 16; ++group) {
    scales[group] = fit_symmetric(x + group * 16, 32, levels.from(group * 16));
  }
  const float max_scale = largest(scales, 16);
  if (!(std::fabs(max_scale) >= kTiny)) return;  // the block stays zero
  const float inverse = -128.0f / max_scale;
  b.d = f32_to_f16(1 / inverse);
  for (int group = 0; group < 16; ++group) {
    b.scales[group] = static_cast<int8_t>(nearest(inverse * scales[group], -128, 127));
    const float d = f16_to_f32(b.d) * static_cast<float>(b.scales[group]);
    choose_levels(x + group * 16, 16, d, 0.0f, -32, 31, levels.from(group * 16));
  }
  for (int i = 0; i < 64; ++i) {
    const int from = i / 32 * 128 + i % 32;
    const int q[4] = {levels[from], levels[from + 32], levels[from + 64], levels[from + 96]};
    uint8_t* low = b.low + i / 32 * 64 + i % 32;
    low[0] = static_cast<uint8_t>((q[0] & 15) | ((q[2] & 15) << 4));
    low[32] = static_cast<uint8_t>((q[1] & 15) | ((q[3] & 15) << 4));
    b.high[i] = static_cast<uint8_t>((q[0] >> 4) | ((q[1] >> 4) << 2) | ((q[2] >> 4) << 4) |
                                     ((q[3] >> 4) << 6));
  }
}

}  // namespace ashlar
