// Rows of float32 for training: norms, activations, rotations and the loss with their gradients, in
// float32 with sums in lanes. Serial over the range they are given, one table per instruction set.
#pragma once

#include <cstdint>
#include <string_view>

namespace ashlar {

/// The factors of a step of AdamW, computed in double as PyTorch has them, then rounded once.
struct AdamwFactors {
  float gradient = 1, keep = 1, beta2 = 0, rest1 = 1, rest2 = 1, step = 0, correction2 = 1, eps = 0;
  float towards = 0;  // what decay leads to
};

struct FloatRows {
  // y = x w / rms(x); w may be null.
  void (*rms_norm)(const float* x, const float* w, float* y, int64_t n, double eps);
  /// dx of one row; dw += dy x / rms(x) where w is given.
  void (*rms_norm_grad)(const float* x, const float* dy, const float* w, float* dx, float* dw,
                        int64_t n, double eps);
  // y = (x - mean) / deviation * w + b.
  void (*layer_norm)(const float* x, const float* w, const float* b, float* y, int64_t n,
                     double eps);
  /// dx of one row; dw += dy h, db += dy with h the normalised row.
  void (*layer_norm_grad)(const float* x, const float* dy, const float* w, float* dx, float* dw,
                          float* db, int64_t n, double eps);
  void (*silu)(const float* x, float* y, int64_t n);
  void (*silu_grad)(const float* x, const float* dy, float* dx, int64_t n);
  void (*gelu_tanh)(const float* x, float* y, int64_t n);
  void (*gelu_tanh_grad)(const float* x, const float* dy, float* dx, int64_t n);
  // y = act(gate) up, and dgate = dy up act'(gate), dup = dy act(gate); results may lie where
  // inputs do.
  void (*silu_gated)(const float* gate, const float* up, float* y, int64_t n);
  void (*silu_gated_grad)(const float* gate, const float* up, const float* dy, float* dgate,
                          float* dup, int64_t n);
  void (*gelu_tanh_gated)(const float* gate, const float* up, float* y, int64_t n);
  void (*gelu_tanh_gated_grad)(const float* gate, const float* up, const float* dy, float* dgate,
                               float* dup, int64_t n);
  double (*dot)(const float* x, const float* y, int64_t n);
  double (*squares)(const float* x, int64_t n);  // their sum, in double
  void (*adamw)(const AdamwFactors& f, float* w, float* m, float* v, const float* g, int64_t n);
  /// ln sum exp(z) - z[target] of one row; of target -1 the first alone.
  double (*cross_entropy)(const float* z, int64_t n, int64_t target);
  /// dz = (softmax(z) - onehot(target)) dl, in place if wanted; of target -1 softmax(z) dl.
  void (*cross_entropy_grad)(const float* z, int64_t n, int64_t target, float dl, float* dz);
  /// x = softmax(scale x) in place, beside a logit that has no place in it (null: none), whose
  /// share is returned. scale > 0.
  float (*softmax)(float* x, int64_t n, float scale, const float* sink);
  /// dp = scale p (dp - sum p dp) in place, for probabilities p beside a sink's share; what is
  /// returned is the gradient of the sink.
  double (*softmax_grad)(const float* p, float* dp, int64_t n, float scale, float share);
  /// Pairs (x[a], x[b]) by cos and sin: half has a = j, b = j + pairs.
  void (*rotate)(const float* x, const float* cos, const float* sin, float* y, int64_t pairs);
};

/// For the instruction set of a table of kernels (kernels/table.h).
const FloatRows& float_rows(std::string_view table);

}  // namespace ashlar
