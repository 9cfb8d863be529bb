// Norms over the trailing axes of a value.
#pragma once

#include "graph/op.h"

namespace ashlar {

/// x [tokens, ..., n...], w [n...] -> like x: each group of the last `axes` axes is divided by its
/// root mean square. Without w: a weightless norm (Llama 4's q and k).
struct RmsNorm {
  static constexpr OpDoc doc{
      "rms_norm", "y = x w / sqrt(mean(x^2) + eps)", "x w?", "y",
      "Zhang and Sennrich 2019, Root Mean Square Layer Normalization, section 4"};
  double eps = 1e-6;
  int64_t axes = 1;
  ASHLAR_ATTRIBUTES(eps, axes);
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
  Axes group(const Type& x) const;  // the axes that are normalised together
};
ASHLAR_DECLARE_OP(RmsNorm);

/// x [tokens, ..., n], w and b [n] -> like x. Without b: Cohere's layer norm.
struct LayerNorm {
  static constexpr OpDoc doc{"layer_norm", "y = (x - mean(x)) w / sqrt(var(x) + eps) + b", "x w b?",
                             "y", "Ba et al. 2016, Layer Normalization, section 3"};
  double eps = 1e-5;
  ASHLAR_ATTRIBUTES(eps);
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(LayerNorm);

}  // namespace ashlar
