// Gated activations, routing to experts, and the experts themselves.
#pragma once

#include "base/enum_names.h"
#include "graph/op.h"

namespace ashlar {

enum class GateKind : uint8_t { silu, gelu_tanh, clamped };
ASHLAR_NAMES(GateKind, silu, gelu_tanh, clamped);

/// gate and up of equal types. silu: SwiGLU; gelu_tanh: GeGLU; clamped (gpt-oss):
/// (clamp(up, -limit, limit) + 1) g sigmoid(alpha g) with g = min(gate, limit).
struct Gated {
  static constexpr OpDoc doc{"gated", "y = act(gate) up", "gate up", "y",
                             "Shazeer 2020, GLU Variants Improve Transformer, section 2"};
  GateKind kind = GateKind::silu;
  double alpha = 1.702, limit = 7;
  template <class V>
  void attributes(V& v) {
    v("kind", kind);
    if (kind != GateKind::clamped && !v.reading) return;
    v("alpha", alpha);
    v("limit", limit);
  }
  std::vector<Type> types(Types in) const;
  int64_t flops(Types in, const Workload& load) const;
  std::vector<Value> expand(Builder& b, Values in) const;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(Gated);

enum class RouteScore : uint8_t {
  softmax,           // over all experts, before the choice
  sigmoid,           // of each logit
  softmax_selected,  // over the chosen logits
  /// Of each chosen in turn: softmax over the experts that are not chosen yet and whose logit lies
  /// within 2 jitter of the largest of them, relative to the larger magnitude.
  sparsemixer,
};
ASHLAR_NAMES(RouteScore, softmax, sigmoid, softmax_selected, sparsemixer);
enum class GroupScore : uint8_t { max, top2_sum };
ASHLAR_NAMES(GroupScore, max, top2_sum);

/// logits [tokens, experts], bias [experts] -> weights [tokens, chosen], experts index [tokens,
/// chosen]. scores = score(softcap(logits)); the choice is by scores + bias, within the best
/// keep_groups of `groups` equal groups (others are -inf); the weights are the scores of the
/// chosen, divided by their sum (+ 1e-20) if normalize, times scale.
struct Route {
  static constexpr OpDoc doc{
      "route", "e = top_k(s + b), w = s[e] (/ sum) * scale", "logits bias?", "weights experts",
      "Shazeer et al. 2017; correction bias and groups: DeepSeek-V3, section 2.1.2; sparsemixer: "
      "Liu et al. 2024, GRIN, as it runs without training"};
  int64_t top_k = 1;
  RouteScore score = RouteScore::softmax;
  bool normalize = false;
  double scale = 1;
  double softcap = 0;
  int64_t groups = 1, keep_groups = 1;
  GroupScore group_score = GroupScore::top2_sum;
  double jitter = 0.01;  // sparsemixer
  /// Whether logits are compared in place of scores, which rise with them but may saturate: of two
  /// sigmoids of 1 the larger logit still wins. Not so where scores are added to something.
  bool by_logits(bool corrected) const {
    return !corrected && (groups == 1 || group_score == GroupScore::max);
  }
  template <class V>
  void attributes(V& v) {
    v("top_k", top_k);
    v("score", score);
    v("normalize", normalize);
    v("scale", scale);
    v("softcap", softcap);
    if (score == RouteScore::sparsemixer || v.reading) v("jitter", jitter);
    v("groups", groups);
    if (groups == 1 && !v.reading) return;
    v("keep_groups", keep_groups);
    v("group_score", group_score);
  }
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(Route);

/// weights [tokens, chosen], y [tokens, chosen, d] -> [tokens, d].
struct WeightedSum {
  static constexpr OpDoc doc{"weighted_sum", "y = sum_k w_k x_k", "weights x", "y", ""};
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(WeightedSum);

/// weights [tokens, chosen], x [tokens, d] -> [tokens, chosen, d]: Llama 4 weighs the input of an
/// expert.
struct WeightedCopies {
  static constexpr OpDoc doc{"weighted_copies", "y_k = w_k x", "weights x", "y", ""};
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(WeightedCopies);

/// x [tokens, chosen, d...] -> [tokens, d...].
struct ExpertSum {
  static constexpr OpDoc doc{"expert_sum", "y = sum_k x_k", "x", "y", ""};
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(ExpertSum);

/// The chosen experts, each a gated feed-forward: x [tokens, d], weights and experts of a Route,
/// gate and up [experts, ffn, d], down [experts, d, ffn]; with biases three more: [experts, ffn]
/// twice, [experts, d].
struct ExpertFfn {
  static constexpr OpDoc doc{"expert_ffn", "y = sum_k w_k down_e(act(gate_e x) up_e x)",
                             "x weights experts gate up down gate_bias? up_bias? down_bias?", "y",
                             "Shazeer et al. 2017, section 2"};
  GateKind kind = GateKind::silu;
  double alpha = 1.702, limit = 7;
  bool weigh_input = false;
  Gated activation() const { return {kind, alpha, limit}; }
  template <class V>
  void attributes(V& v) {
    v("kind", kind);
    v("weigh_input", weigh_input);
    if (kind != GateKind::clamped && !v.reading) return;
    v("alpha", alpha);
    v("limit", limit);
  }
  std::vector<Type> types(Types in) const;
  int64_t flops(Types in, const Workload& load) const;
  std::vector<Value> expand(Builder& b, Values in) const;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(ExpertFfn);

}  // namespace ashlar
