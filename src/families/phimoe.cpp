// Phi-3.5-MoE: layer norms, biases and grouped queries, LongRoPE with a factor of cos and sin of
// its own, and two experts of each layer by sparsemixer. As Transformers 5 runs it, in two things:
// the short table of frequencies at any context (its authors' first code took the long one beyond
// the original context), and two experts whatever num_experts_per_tok says.
#include "base/error.h"
#include "families/decoder.h"

namespace ashlar::phimoe {

// The factor of cos and sin stands beside the tables as two, for contexts up to the original one
// and for longer ones; published ones are equal.
void visit_rope_factors(FieldVisitor& v, RopeFields& r) {
  if (v.reading() && r.type != "default" && r.type != "longrope") {
    fail(ErrorKind::unsupported, "{}: rope_type: expected default or longrope, found {}", v.where(),
         r.type);
  }
  if (v.gguf() || r.type != "longrope") return;
  double below = r.attention_factor, beyond = r.attention_factor;
  v(below, "rope_parameters.short_mscale|rope_scaling.short_mscale", "", 0.0);
  v(beyond, "rope_parameters.long_mscale|rope_scaling.long_mscale", "", below);
  if (below != beyond) {
    fail(ErrorKind::unsupported, "{}: long_mscale: expected {} as short_mscale, found {}",
         v.where(), below, beyond);
  }
  if (below != 0) r.attention_factor = below;
}

void visit(FieldVisitor& v, Fields& f) {
  visit_shape(v, f, {32, 4096, 32064, 131072, 32, 8, 6400});
  v(f.eps, "rms_norm_eps", "attention.layer_norm_rms_epsilon|attention.layer_norm_epsilon", 1e-5);
  visit_head_dim(v, f);
  visit_activation(v, f, "hidden_act", "silu");
  visit_head(v, f, false);
  if (v.reading()) v(f.rope.original, "original_max_position_embeddings", "", 0);
  visit_rope(v, f.rope, f, 1e6);
  visit_rope_factors(v, f.rope);
  f.rope.ignores_long = f.rope.type == "longrope";
  v.nullable(f.window.size, "sliding_window", "attention.sliding_window", 0);
  visit_attention_bias(v, f);
  v(f.head_bias, "lm_head_bias", "?output.bias", false);
  v(f.experts.experts, "num_local_experts|num_experts", "expert_count", 16);
  v(f.experts.top_k, "num_experts_per_tok", "expert_used_count", 2);
  if (f.experts.top_k != 2) {
    fail(ErrorKind::unsupported, "{}: {}: expected 2 (sparsemixer chooses two), found {}",
         v.where(), v.key_of(&f.experts.top_k, "num_experts_per_tok"), f.experts.top_k);
  }
  // Not a key that others read: they take it for 0.01, or route by softmax.
  if (v.reading() || !v.gguf() || f.experts.router.jitter != 0.01)
    v(f.experts.router.jitter, "router_jitter_noise", "expert_router_jitter", 0.01);
  f.experts.width = f.ffn;
  f.experts.scoring = "sparsemixer";
}

Block block(const Fields& f, int64_t layer) {
  return {PreNorm{layer_norm(f.eps)}, grouped_attention(f, layer), experts(f)};
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  norm_bias_names(n);
  n.add("head_bias", {"lm_head.bias"}, {"output.bias"});
  expert_names(n, "block_sparse_moe.gate", "block_sparse_moe.experts", "w1", "w3", "w2");
}

}  // namespace ashlar::phimoe

const ashlar::Family ashlar::kPhimoe{.name = "phimoe",
                                     .architectures = {"PhimoeForCausalLM", "PhiMoEForCausalLM"},
                                     .visit = phimoe::visit,
                                     .block = phimoe::block,
                                     .names = phimoe::names};
