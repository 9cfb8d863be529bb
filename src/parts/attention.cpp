// Grouped-query attention as graph.
#include "parts/attention.h"

#include <cmath>

#include "ops/attention.h"
#include "ops/elementwise.h"
#include "ops/norm.h"
#include "parts/norm.h"
#include "parts/projection.h"

namespace ashlar {

double AttentionPart::score_scale() const {
  return scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(head_dim));
}

Value write_rope(Builder& b, const RopePart& r, Value x, std::string_view label) {
  const int64_t dim = r.dim != 0 ? r.dim : x.type().axes.back().size;
  return b.add1(Rope{.dim = dim,
                     .theta = r.theta,
                     .layout = r.layout,
                     .scaling = r.scaling,
                     .factor = r.factor,
                     .original_context = r.original_context,
                     .low_frequency_factor = r.low_frequency_factor,
                     .high_frequency_factor = r.high_frequency_factor,
                     .beta_fast = r.beta_fast,
                     .beta_slow = r.beta_slow,
                     .truncate = r.truncate,
                     .attention_factor = r.attention_factor,
                     .divisors = r.divisors,
                     .long_divisors = r.ignores_long ? r.divisors : r.long_divisors},
                {x}, label);
}

Value write_attention(Builder& b, const AttentionPart& p, Value h) {
  const Axis d = h.type().axes.back();
  const Axis kv{"kv_heads", p.kv_heads}, group{"group", p.heads / std::max<int64_t>(p.kv_heads, 1)},
      dim{"head_dim", p.head_dim};
  const auto project = [&](std::string_view name, const Axes& out) {
    return write_projection(b, h, name, out, p.qkv_bias);
  };
  Value q = project("q", {kv, group, dim}), k = project("k", {kv, dim});
  const Value v = project("v", {kv, dim});
  if (p.qk_norm == QkNorm::per_head) {
    q = write_norm(b, {.eps = p.qk_norm_eps}, q, "q_norm");
    k = write_norm(b, {.eps = p.qk_norm_eps}, k, "k_norm");
  } else if (p.qk_norm == QkNorm::projection) {
    q = b.add1(RmsNorm{.eps = p.qk_norm_eps, .axes = 3},
               {q, b.param("q_norm", {kv, group, dim}, Role::norm, 0)}, "q_norm");
    k = b.add1(RmsNorm{.eps = p.qk_norm_eps, .axes = 2},
               {k, b.param("k_norm", {kv, dim}, Role::norm, 0)}, "k_norm");
  }
  if (p.rope) {
    q = write_rope(b, *p.rope, q, "q_rope");
    k = write_rope(b, *p.rope, k, "k_rope");
  }
  if (p.qk_norm == QkNorm::after_rope) {
    q = b.add1(RmsNorm{.eps = p.qk_norm_eps}, {q}, "q_norm");
    k = b.add1(RmsNorm{.eps = p.qk_norm_eps}, {k}, "k_norm");
  }
  if (p.temperature) {
    q = b.add1(PositionScale{.scale = p.temperature->scale,
                             .length = p.temperature->length,
                             .offset = p.temperature->offset},
               {q}, "q_scale");
  }
  std::vector<Value> in{q, k, v};
  if (p.sinks) in.push_back(b.param("sinks", {kv, group}, Role::sink, 0));
  Value o = b.add1(Attention{.scale = p.score_scale(),
                             .softcap = p.softcap,
                             .window = p.window,
                             .chunk = p.chunk,
                             .log_length = p.log_length},
                   in, "scores");
  if (p.output_gate) {
    const Value gate = b.add1(Activate{.kind = ActivationKind::sigmoid},
                              {project("gate", {kv, group, dim})}, "gate");
    o = b.add1(Multiply{}, {o, gate}, "gated");
  }
  return write_projection(b, o, "o", {d}, p.output_bias, 3);
}

}  // namespace ashlar
