// Gradients of routing and of the experts.
#pragma once

#include "graph/op.h"
#include "ops/experts.h"

namespace ashlar {

/// logits [tokens, experts], chosen index [tokens, chosen], dweights [tokens, chosen] -> dlogits.
/// The choice itself is constant; attributes are those of the route.
struct RouteGrad {
  static constexpr OpDoc doc{"route_grad", "dz = (dw / dz)^T dw for the experts that were chosen",
                             "logits experts dweights", "dlogits", ""};
  Route forward;
  ASHLAR_ATTRIBUTES(forward);
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(RouteGrad);

/// x [tokens, chosen, d], y [tokens, d] -> [tokens, chosen].
struct ChosenDot {
  static constexpr OpDoc doc{"chosen_dot", "w_k = x_k . y", "x y", "w", ""};
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(ChosenDot);

/// What expert_ffn reads, with dy [tokens, d] after x -> the gradients of all of it but the
/// indices; the experts' activations are made again.
struct ExpertFfnGrad {
  static constexpr OpDoc doc{"expert_ffn_grad",
                             "gradients of sum_k w_k down_e(act(gate_e x) up_e x)",
                             "x dy weights experts gate up down gate_bias? up_bias? down_bias?",
                             "dx dweights dgate dup ddown dgate_bias? dup_bias? ddown_bias?", ""};
  ExpertFfn forward;
  ASHLAR_ATTRIBUTES(forward);
  std::vector<Type> types(Types in) const;
  int64_t flops(Types in, const Workload& load) const;
  std::vector<Value> expand(Builder& b, Values in) const;
};
ASHLAR_DECLARE_OP(ExpertFfnGrad);

}  // namespace ashlar
