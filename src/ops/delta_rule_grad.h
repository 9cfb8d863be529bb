// Gradients of the gated delta rule, backward through time, and of its decay.
#pragma once

#include "graph/op.h"
#include "ops/delta_rule.h"

namespace ashlar {

/// a and dg [tokens, heads..., n...], a_log [heads...], dt_bias [heads..., n...] -> da like a,
/// da_log, ddt_bias.
struct LogDecayGrad {
  static constexpr OpDoc doc{"log_decay_grad",
                             "da = -exp(a_log) sigmoid(a + dt_bias) dg, da_log = sum g dg, "
                             "ddt_bias = sum da",
                             "a dg a_log dt_bias", "da da_log ddt_bias", ""};
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(LogDecayGrad);

/// What the rule reads, and do like its output -> the gradients of q, k, v, decay and beta, each
/// like its input. States are kept at the square root of a sequence's tokens and made again between
/// them.
struct GatedDeltaRuleGrad {
  static constexpr OpDoc doc{
      "gated_delta_rule_grad",
      "dS += scale q do^T, dq = scale S do, du = dS^T k, dbeta = du (v - S^T k), dv = beta du, "
      "dk = dS u - S dv, dS -= k dv^T, dg = e^g sum dS S, dS = e^g dS",
      "q k v decay beta do", "dq dk dv ddecay dbeta", ""};
  GatedDeltaRule forward;
  ASHLAR_ATTRIBUTES(forward);
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(GatedDeltaRuleGrad);

}  // namespace ashlar
