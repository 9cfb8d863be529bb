// The prepared forms of an activation row that all kernel tables share.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/round_up.h"
#include "kernels/table.h"

namespace ashlar::kernels {

/// Columns of an int8 row are padded to this, with zeros, so that kernels step by whole k-quant
/// blocks.
inline constexpr int64_t kQ8Pad = 256;

/// Runs whose largest value is below this are zeros: 127 / largest would overflow.
inline constexpr float kQ8Smallest = 1e-36f;

/// Sums of a row stand this many times as high: they are then what signed bytes, shifted by as much,
/// are too high by. A power of two, so that nothing is rounded.
inline constexpr float kSumFactor = 128;

/// A row of n activations as int8: x[c] ~ scale[c / 32] * q[c].
///   int8  q[padded]              -127 .. 127
///   float scale[padded / 32]
///   float sum[padded / 32]       kSumFactor scale (sum of the block's q): what a weight's minimum
///                                needs
///   float half_sum[padded / 16]  the same per 16 columns
struct Q8Layout {
  int64_t padded, scale, sum, half_sum, bytes;  // columns, then byte offsets
};

static inline Q8Layout q8_layout(int64_t cols) {
  const int64_t padded = (cols + kQ8Pad - 1) / kQ8Pad * kQ8Pad;
  const int64_t scale = padded, sum = scale + padded / 8, half_sum = sum + padded / 8;
  return {padded, scale, sum, half_sum, half_sum + padded / 4};
}

/// Bytes of a prepared row, a multiple of 64.
static inline int64_t prepared_bytes(Activation form, int64_t cols) {
  switch (form) {
    case Activation::f32:
      return round_up(cols * 4, 64);
    case Activation::bf16:
      return round_up(cols * 2, 64);
    case Activation::q8:
      return round_up(q8_layout(cols).bytes, 64);
    case Activation::tiles:
      return round_up(cols * 2, 64);
  }
  return 0;
}

/// Formats whose values are stored one by one, not in blocks.
static inline bool is_plain(Format f) {
  return f == Format::f32 || f == Format::f16 || f == Format::bf16;
}

/// Formats with a float of their own per value: products take float activations.
static inline bool is_float(Format f) { return is_plain(f) || f == Format::fp8_b128; }

/// Most tokens of a product that each get, to the bit, the sums of a product with that token alone;
/// every kernel table keeps to it. Dots of int8 keep one sum per token, those of floats several, the
/// fewer the more tokens there are; quantised weights meet floats in panels, whatever the tokens.
static inline int64_t tokens_alike(Format weight, Activation form) {
  if (form == Activation::q8) return 4;
  return is_float(weight) ? 1 : INT64_MAX;
}

/// Every other format: small integers with scales, whose products take int8 activations.
// clang-format off
#define ASHLAR_QUANTISED(X)                                                                    \
  X(q4_0)                                                                                      \
  X(q4_1)                                                                                      \
  X(q5_0) X(q5_1) X(q8_0) X(q2_k) X(q3_k) X(q4_k) X(q5_k) X(q6_k) X(iq4_nl) X(iq4_xs) X(mxfp4) \
      X(int4_g32)
// clang-format on

/// The keys a query at `position` sees: [begin, position].
static inline int64_t first_visible(const Attention& a, int64_t position) {
  int64_t begin = 0;
  if (a.window > 0 && position - a.window + 1 > begin) begin = position - a.window + 1;
  if (a.chunk > 0 && position / a.chunk * a.chunk > begin) begin = position / a.chunk * a.chunk;
  return begin;
}

/// The keys that a call looks at for a query at `position`: [begin, end).
struct KeyRange {
  int64_t begin, end;
};
static inline KeyRange keys_of(const Attention& a, int64_t position) {
  KeyRange r{first_visible(a, position), position + 1};
  if (a.partials == nullptr) return r;
  if (r.begin < a.key_begin) r.begin = a.key_begin;
  if (r.end > a.key_end) r.end = a.key_end;
  return r;
}

}  // namespace ashlar::kernels
