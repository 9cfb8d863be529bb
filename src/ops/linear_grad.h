// Gradients of the matrix products: for what they read per token, and for their weights.
#pragma once

#include "graph/op.h"

namespace ashlar {

/// dy [tokens, out...], w [out..., in...] with in_axes axes in -> dx [tokens, in...].
struct LinearInputGrad {
  static constexpr OpDoc doc{"linear_input_grad", "dx = W^T dy", "dy w", "dx", ""};
  int64_t in_axes = 1;
  ASHLAR_ATTRIBUTES(in_axes);
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(LinearInputGrad);

/// x [tokens, in...], dy [tokens, out...] -> dw [out..., in...].
struct LinearWeightGrad {
  static constexpr OpDoc doc{"linear_weight_grad", "dW = sum_t dy_t x_t^T", "x dy", "dw", ""};
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(LinearWeightGrad);

/// x [(tokens,) ..., n...] -> [n...], the last `axes` axes: the gradient of what all tokens share.
struct TokenSum {
  static constexpr OpDoc doc{"token_sum", "y = sum_t x_t", "x", "y", ""};
  int64_t axes = 1;
  ASHLAR_ATTRIBUTES(axes);
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(TokenSum);

/// dy [tokens, chosen, out], experts index [tokens, chosen], w [experts, out, in] -> dx [tokens,
/// chosen, in].
struct ExpertLinearInputGrad {
  static constexpr OpDoc doc{"expert_linear_input_grad", "dx_k = W[e_k]^T dy_k", "dy experts w",
                             "dx", ""};
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(ExpertLinearInputGrad);

/// x [tokens, in] or [tokens, chosen, in], experts index [tokens, chosen], dy [tokens, chosen, out]
/// -> dw [axis = count, out, in]; zeros for experts that no token chose.
struct ExpertLinearWeightGrad {
  static constexpr OpDoc doc{"expert_linear_weight_grad", "dW[e] = sum_{t,k: e_k = e} dy_k x_k^T",
                             "x experts dy", "dw", ""};
  std::string axis = "experts";
  int64_t count = 1;
  ASHLAR_ATTRIBUTES(axis, count);
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(ExpertLinearWeightGrad);

/// experts index [tokens, chosen], dy [tokens, chosen, out] -> db [axis = count, out].
struct ExpertLinearBiasGrad {
  static constexpr OpDoc doc{"expert_linear_bias_grad", "db[e] = sum_{t,k: e_k = e} dy_k",
                             "experts dy", "db", ""};
  std::string axis = "experts";
  int64_t count = 1;
  ASHLAR_ATTRIBUTES(axis, count);
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(ExpertLinearBiasGrad);

}  // namespace ashlar
