// Rotary position embedding with its scalings, and the position-dependent query factor of Llama 4.
#pragma once

#include "base/enum_names.h"
#include "graph/op.h"

namespace ashlar {

enum class RotationLayout : uint8_t { half, interleaved };  // pairs (j, j + D/2) or (2j, 2j + 1)
ASHLAR_NAMES(RotationLayout, half, interleaved);
enum class RotationScaling : uint8_t { none, linear, llama3, yarn, divisors, longrope };
ASHLAR_NAMES(RotationScaling, none, linear, llama3, yarn, divisors, longrope);

/// x [tokens, ..., head_dim] -> the same with the first `dim` numbers of each head rotated by
/// position. Frequencies: theta^(-2j/dim), scaled as the field's configs say (`rope_scaling`).
struct Rope {
  static constexpr OpDoc doc{
      "rope", "(x_a, x_b) rotated by position * theta^(-2j/D)", "x", "y",
      "Su et al. 2021, RoFormer, section 3.2; YaRN: Peng et al. 2023, section 3; LongRoPE: Ding et "
      "al. 2024, section 3"};
  int64_t dim = 0;  // rotary numbers of a head; even
  double theta = 10000;
  RotationLayout layout = RotationLayout::half;
  RotationScaling scaling = RotationScaling::none;
  double factor = 1;
  int64_t original_context = 0;          // llama3, yarn, longrope
  double low_frequency_factor = 1;       // llama3
  double high_frequency_factor = 4;      // llama3
  double beta_fast = 32, beta_slow = 1;  // yarn
  bool truncate = true;                  // yarn: whole-numbered ramp ends
  double attention_factor = 1;           // multiplies cos and sin
  /// divisors, longrope: of each pair's frequency, dim / 2 of them. longrope has others where the
  /// context asked for is longer than original_context: for all positions, or distances would lie.
  std::vector<double> divisors, long_divisors;
  bool inverse = false;  // by the negative angle: the gradient of a rotation
  template <class V>
  void attributes(V& v) {
    v("dim", dim);
    v("theta", theta);
    v("layout", layout);
    v("scaling", scaling);
    if (inverse || v.reading) v("inverse", inverse);
    if (scaling == RotationScaling::none && !v.reading) return;
    const bool longrope = scaling == RotationScaling::longrope;
    if (scaling == RotationScaling::divisors || longrope || v.reading) {
      v("divisors", divisors);
      if (longrope || v.reading) v("long_divisors", long_divisors);
      if (!longrope && !v.reading) return;
    }
    if (!longrope || v.reading) v("factor", factor);
    if (scaling == RotationScaling::linear && !v.reading) return;
    v("original_context", original_context);
    if (scaling == RotationScaling::llama3 || v.reading) {
      v("low_frequency_factor", low_frequency_factor);
      v("high_frequency_factor", high_frequency_factor);
    }
    if (scaling == RotationScaling::yarn || v.reading) {
      v("beta_fast", beta_fast);
      v("beta_slow", beta_slow);
      v("truncate", truncate);
    }
    if (scaling == RotationScaling::yarn || longrope || v.reading)
      v("attention_factor", attention_factor);
  }
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;

  /// Angle per position of each pair where sequences of up to `context` tokens are asked for:
  /// dim / 2 numbers, in radians. Computed as the reference does, in double.
  std::vector<double> frequencies(int64_t context) const;
};
ASHLAR_DECLARE_OP(Rope);

/// x * (1 + scale * ln(1 + floor((position + 1) / length))): temperature tuning of Llama 4's NoPE
/// layers.
struct PositionScale {
  static constexpr OpDoc doc{"position_scale", "y = x (1 + s ln(1 + floor((p + offset) / L)))", "x",
                             "y", "Nakanishi 2025, Scalable-Softmax; Llama 4 reference code"};
  double scale = 0.1;
  double length = 8192;
  int64_t offset = 1;
  ASHLAR_ATTRIBUTES(scale, length, offset);
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
  double factor(int64_t position) const;
};
ASHLAR_DECLARE_OP(PositionScale);

}  // namespace ashlar
