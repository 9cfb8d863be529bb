// Matrix products: a projection of every token, and a projection by the experts a token chose.
#pragma once

#include "graph/op.h"

namespace ashlar {

/// x [tokens, ..., in...], w [out..., in...], b [out...] -> [tokens, out...]. The last in_axes axes
/// of x are contracted with those of w; they agree by name and size. x has no axes in between.
struct Linear {
  static constexpr OpDoc doc{"linear", "y = W x + b", "x w b?", "y", ""};
  int64_t in_axes = 1;
  ASHLAR_ATTRIBUTES(in_axes);
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(Linear);

/// The same by chosen experts: x [tokens, d] or [tokens, chosen, d], experts index [tokens,
/// chosen], w [experts, out, d], b [experts, out] -> [tokens, chosen, out].
struct ExpertLinear {
  static constexpr OpDoc doc{"expert_linear", "y_k = W[e_k] x_k + b[e_k]", "x experts w b?", "y",
                             "Shazeer et al. 2017, Outrageously Large Neural Networks, section 2"};
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(ExpertLinear);

}  // namespace ashlar
