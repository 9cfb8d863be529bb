// Multi-head latent attention as graph (DeepSeek-V2, section 2.1).
#include <cmath>

#include "ops/attention.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "parts/attention.h"

namespace ashlar {

double LatentAttentionPart::score_scale() const {
  return scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(qk_nope + qk_rope));
}

Value write_latent_attention(Builder& b, const LatentAttentionPart& p, Value h) {
  const Axis d = h.type().axes.back();
  const Axis heads{"heads", p.heads}, qk{"qk", p.qk_nope + p.qk_rope}, latent{"latent", p.latent};
  const Axis nope{"qk_nope", p.qk_nope}, value{"value_dim", p.value_dim};
  const auto project = [&](Value x, std::string_view name, const Axes& out, int64_t in_axes,
                           bool bias) {
    const Axes axes = x.type().axes;
    Axes w = out;
    w.insert(w.end(), axes.end() - in_axes, axes.end());
    std::vector<Value> in{x, b.param(name, w, Role::projection, in_axes)};
    if (bias) in.push_back(b.param(std::string(name) + "_bias", out, Role::bias, 0));
    return b.add1(Linear{.in_axes = in_axes}, in, name);
  };
  Value from = h;
  std::string_view query = "q";
  if (p.query_rank > 0) {
    const Axis rank{"query_rank", p.query_rank};
    from = project(h, "q_a", {rank}, 1, p.bias);
    from = b.add1(RmsNorm{.eps = p.norm_eps}, {from, b.param("q_a_norm", {rank}, Role::norm, 0)},
                  "q_a_norm");
    query = "q_b";
  }
  const Value q = project(from, query, {heads, qk}, 1, false);
  const Value q_nope =
      b.add1(Slice{.begin = 0, .axis = "qk_nope", .size = p.qk_nope}, {q}, "q_nope");
  Value q_rope =
      b.add1(Slice{.begin = p.qk_nope, .axis = "qk_rope", .size = p.qk_rope}, {q}, "q_rope");
  q_rope = write_rope(b, p.rope, q_rope, "q_rope");
  const Value kv = project(h, "kv_a", {{"kv_a", p.latent + p.qk_rope}}, 1, p.bias);
  Value c = b.add1(Slice{.begin = 0, .axis = "latent", .size = p.latent}, {kv}, "latent");
  c = b.add1(RmsNorm{.eps = p.norm_eps}, {c, b.param("kv_a_norm", {latent}, Role::norm, 0)},
             "kv_a_norm");
  Value k_rope =
      b.add1(Slice{.begin = p.latent, .axis = "qk_rope", .size = p.qk_rope}, {kv}, "k_rope");
  k_rope = write_rope(b, p.rope, k_rope, "k_rope");
  const Value w_k = b.param("k_b", {heads, nope, latent}, Role::projection);
  const Value w_v = b.param("v_b", {heads, value, latent}, Role::projection);
  const Value o = b.add1(LatentAttention{.scale = p.score_scale()},
                         {q_nope, q_rope, c, k_rope, w_k, w_v}, "scores");
  return project(o, "o", {d}, 2, p.bias);
}

}  // namespace ashlar
