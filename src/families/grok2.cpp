// Grok 2: sandwich norms, capped scores and router logits, experts beside a dense feed-forward
// (their sum over sqrt 2), multipliers on embedding and logits. Follows the vendor's serving code
// (SGLang).
#include "families/decoder.h"

namespace ashlar::grok2 {

void visit(FieldVisitor& v, Fields& f) {
  visit_sizes(v, f, 1e-5);
  v(f.kv_heads, "num_key_value_heads", "attention.head_count_kv", f.heads);
  visit_head_dim(v, f);
  visit_activation(v, f, "hidden_act", "gelu_pytorch_tanh");
  visit_head(v, f, false);
  visit_score_scale(v, f, "attn_output_multiplier", "attention.output_scale");
  v(f.rope.theta, "rope_theta", "rope.freq_base");
  v(f.embedding_scale, "embedding_multiplier_scale", "embedding_scale");
  v(f.logit_scale, "output_multiplier_scale", "logit_scale");
  v(f.attention.softcap, "attn_logit_softcapping", "attn_logit_softcapping", 30.0);
  v(f.experts.router.softcap, "router_logit_softcapping", "router_logit_softcapping", 30.0);
  v.nullable(f.logit_softcap, "final_logit_softcapping", "final_logit_softcapping", 0);
  v.nullable(f.attention.log_length, "attn_temperature_len", "attention.temperature_length", 0);
  v(f.experts.experts, "num_local_experts|num_experts", "expert_count");
  v(f.experts.top_k, "num_experts_per_tok", "expert_used_count");
  v(f.experts.width, "moe_intermediate_size", "expert_feed_forward_length");
  v.demand("residual_moe", true);
  v.expect("rope_type", {"original", "default"});  // plain frequencies; GGUF's word for it is wrong
  v.ignore({"rope.scaling.type", "rope.scaling.factor", "rope.scaling.attn_factor",
            "rope.scaling.original_context_length", "rope.scaling.yarn_ext_factor",
            "rope.scaling.yarn_attn_factor", "rope.scaling.yarn_beta_fast",
            "rope.scaling.yarn_beta_slow", "rope.dimension_count"});
  v.refuse_unless("sliding_window_size", {-1});
  f.experts.parallel = f.ffn;
  f.experts.output_scale = 0.7071067811865475;  // 1 / sqrt 2
}

Block block(const Fields& f, int64_t layer) {
  return {Sandwich{rms(f.eps)}, grouped_attention(f, layer), experts(f)};
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  norm_name(n, "attn_norm", "pre_attn_norm", {"attn_norm"});
  norm_name(n, "attn_post_norm", "post_attn_norm", {"attn_output_norm"});
  norm_name(n, "ffn_norm", "pre_moe_norm", {"ffn_norm"});
  norm_name(n, "ffn_post_norm", "post_moe_norm", {"layer_output_norm", "post_ffw_norm"});
  dense_names(n, "ffn.parallel", "mlp", "");
  expert_names(n, "block_sparse_moe.gate", "block_sparse_moe.experts", "w1", "w3", "w2");
}

}  // namespace ashlar::grok2

const ashlar::Family ashlar::kGrok2{.name = "grok2",
                                    .architectures = {"Grok1ForCausalLM", "GrokForCausalLM"},
                                    .gguf = "grok",
                                    .written_type = "git",  // as published
                                    .pre = "grok-2",
                                    .visit = grok2::visit,
                                    .block = grok2::block,
                                    .names = grok2::names};
