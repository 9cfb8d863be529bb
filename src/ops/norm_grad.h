// Gradients of the norms.
#pragma once

#include "graph/op.h"
#include "ops/norm.h"

namespace ashlar {

/// x and dy [tokens, ..., n...], w [n...] -> dx like x and, with w, dw like w.
struct RmsNormGrad {
  static constexpr OpDoc doc{"rms_norm_grad",
                             "r = 1 / sqrt(mean(x^2) + eps), g = dy w, dx = r g - x r^3 mean(g x)",
                             "x dy w?", "dx dw?", ""};
  RmsNorm forward;
  ASHLAR_ATTRIBUTES(forward);
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(RmsNormGrad);

/// x and dy [tokens, ..., n], w [n] -> dx like x, dw and db like w.
struct LayerNormGrad {
  static constexpr OpDoc doc{
      "layer_norm_grad",
      "h = (x - mean(x)) r, g = dy w, dx = r (g - mean(g) - h mean(g h)), dw = sum dy h", "x dy w",
      "dx dw db", ""};
  double eps = 1e-5;
  ASHLAR_ATTRIBUTES(eps);
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(LayerNormGrad);

}  // namespace ashlar
