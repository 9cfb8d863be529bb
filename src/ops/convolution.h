// The short causal convolution that linear attention and state space models put before their
// recurrence.
#pragma once

#include "graph/op.h"

namespace ashlar {

/// x [tokens, c...], w [c..., width], b [c...] -> like x: every channel by itself, over the last
/// `width` tokens of its sequence. The last column of w meets the token itself; before the first
/// token there are zeros.
struct CausalConvolution {
  static constexpr OpDoc doc{"causal_convolution", "y_t = sum_i w_i x_(t - width + 1 + i) (+ b)",
                             "x w b?", "y", "Gu and Dao 2023, Mamba, section 3.4"};
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;

  /// One token of one channel: `past` holds the width - 1 inputs before x, oldest first, and gets
  /// x. What a sequence remembers of a channel is its past.
  template <class S, class F>
  static S step(int64_t width, S* past, const F* w, F x) {
    S y = 0;
    for (int64_t i = 0; i + 1 < width; ++i) y += S(w[i]) * past[i];
    y += S(w[width - 1]) * S(x);
    for (int64_t i = 0; i + 2 < width; ++i) past[i] = past[i + 1];
    if (width > 1) past[width - 2] = S(x);
    return y;
  }
};
ASHLAR_DECLARE_OP(CausalConvolution);

/// x and dy [tokens, c...], w [c..., width] -> dx like x, dw like w.
struct CausalConvolutionGrad {
  static constexpr OpDoc doc{"causal_convolution_grad",
                             "dx_t = sum_i w_i dy_(t + width - 1 - i), dw_i = sum_t dy_t x_(t - "
                             "width + 1 + i)",
                             "x dy w", "dx dw", ""};
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(CausalConvolutionGrad);

}  // namespace ashlar
