// Multi-head latent attention as graph (DeepSeek-V2, section 2.1).
#include <cmath>

#include "ops/attention.h"
#include "ops/elementwise.h"
#include "parts/attention.h"
#include "parts/norm.h"
#include "parts/projection.h"

namespace ashlar {

double LatentAttentionPart::score_scale() const {
  return scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(qk_nope + qk_rope));
}

Value write_latent_attention(Builder& b, const LatentAttentionPart& p, Value h) {
  const Axis d = h.type().axes.back();
  const Axis heads{"heads", p.heads}, qk{"qk", p.qk_nope + p.qk_rope}, latent{"latent", p.latent};
  const Axis nope{"qk_nope", p.qk_nope}, value{"value_dim", p.value_dim};
  Value from = h;
  std::string_view query = "q";
  if (p.query_rank > 0) {
    from = write_projection(b, h, "q_a", {{"query_rank", p.query_rank}}, p.bias);
    from = write_norm(b, {.eps = p.norm_eps}, from, "q_a_norm");
    query = "q_b";
  }
  const Value q = write_projection(b, from, query, {heads, qk});
  const Value q_nope =
      b.add1(Slice{.begin = 0, .axis = "qk_nope", .size = p.qk_nope}, {q}, "q_nope");
  Value q_rope =
      b.add1(Slice{.begin = p.qk_nope, .axis = "qk_rope", .size = p.qk_rope}, {q}, "q_rope");
  q_rope = write_rope(b, p.rope, q_rope, "q_rope");
  const Value kv = write_projection(b, h, "kv_a", {{"kv_a", p.latent + p.qk_rope}}, p.bias);
  Value c = b.add1(Slice{.begin = 0, .axis = "latent", .size = p.latent}, {kv}, "latent");
  c = write_norm(b, {.eps = p.norm_eps}, c, "kv_a_norm");
  Value k_rope =
      b.add1(Slice{.begin = p.latent, .axis = "qk_rope", .size = p.qk_rope}, {kv}, "k_rope");
  k_rope = write_rope(b, p.rope, k_rope, "k_rope");
  const Value w_k = b.param("k_b", {heads, nope, latent}, Role::projection);
  const Value w_v = b.param("v_b", {heads, value, latent}, Role::projection);
  const Value o = b.add1(LatentAttention{.scale = p.score_scale()},
                         {q_nope, q_rope, c, k_rope, w_k, w_v}, "scores");
  return write_projection(b, o, "o", {d}, p.bias, 2);
}

}  // namespace ashlar
