// Feed-forward parts: dense, and mixtures of experts.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/enum_names.h"
#include "graph/builder.h"
#include "ops/experts.h"
#include "parts/fields.h"

namespace ashlar {

enum class FfnActivation : uint8_t {
  gelu,            // down(gelu_tanh(up x)): no gate
  relu,            // down(relu(up x)): no gate (2017)
  swiglu,          // down(silu(gate x) * up x)
  geglu,           // down(gelu_tanh(gate x) * up x)
  clamped_swiglu,  // gpt-oss, see ops/experts.h
  gelu_exact,      // down(gelu(up x)), gelu by erf: no gate
  geglu_exact,     // down(gelu(gate x) * up x), gelu by erf
};
ASHLAR_NAMES(FfnActivation, gelu, relu, swiglu, geglu, clamped_swiglu, gelu_exact, geglu_exact);
bool has_gate(FfnActivation activation);

/// h ─┬ gate ─ act ─(x)─ down ─►      without a gate: h ─ up ─ act ─ down ─►
///    └ up ──────────┘
struct DenseFfn {
  int64_t width = 0;
  FfnActivation activation = FfnActivation::swiglu;
  bool bias = false;
  double alpha = 1.702, limit = 7;  // clamped_swiglu
  bool operator==(const DenseFfn&) const = default;
  ASHLAR_FIELDS("width", width, activation, bias, alpha, limit);
};

Value write_dense_ffn(Builder& b, const DenseFfn& part, Value h);

/// Which experts a token goes to and with what weight; see Route in ops/experts.h.
struct Router {
  RouteScore score = RouteScore::softmax;
  bool normalize = false;
  double scale = 1;
  double softcap = 0;
  double jitter = 0.01;  // sparsemixer
  int64_t groups = 1, keep_groups = 1;
  GroupScore group_score = GroupScore::top2_sum;
  bool bias = false;             // of the router's projection (gpt-oss)
  bool correction_bias = false;  // added for the choice only (DeepSeek V3)
  bool operator==(const Router&) const = default;
  ASHLAR_FIELDS("", score, normalize, scale, softcap, jitter, groups, keep_groups, group_score,
                bias, correction_bias);
};

/// h ─┬ router ─ top_k ─ experts ─(+)─►
///    └ shared (* sigmoid(gate)) ──┘      every token also goes through the shared expert
struct ExpertFfnPart {
  int64_t experts = 1;
  int64_t top_k = 1;
  int64_t width = 0;  // of one expert
  FfnActivation activation = FfnActivation::swiglu;
  bool bias = false;
  double alpha = 1.702, limit = 7;
  bool weigh_input = false;  // Llama 4: the weight multiplies the expert's input
  Router router;
  int64_t shared = 0;  // width of the shared expert (all of them together); 0: none
  bool shared_bias = false;
  bool shared_gate = false;  // a sigmoid per token scales what it returns (Qwen2-MoE)
  int64_t parallel = 0;      // width of a dense feed-forward beside the experts (Grok 2); 0: none
  double output_scale = 1;   // of the sum (Grok 2: 1 / sqrt 2)
  bool operator==(const ExpertFfnPart&) const = default;
  ASHLAR_FIELDS("experts, top_k, width", experts, top_k, width, activation, bias, alpha, limit,
                weigh_input, router, shared, shared_bias, shared_gate, parallel, output_scale);
};

Value write_expert_ffn(Builder& b, const ExpertFfnPart& part, Value h);

}  // namespace ashlar
