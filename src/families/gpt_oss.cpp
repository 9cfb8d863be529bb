// gpt-oss: biases on attention, router and experts; sinks; windows on every second layer; the
// softmax over the chosen experts; a clamped SwiGLU whose gate and up rows alternate in
// checkpoints.
#include "families/decoder.h"

namespace ashlar::gpt_oss {

void visit_gpt_oss_rope(FieldVisitor& v, Fields& f) {
  if (v.reading() && (v.gguf() || !v.has("rope_parameters|rope_scaling"))) {
    // What a config without a word on rope means, and what GGUF leaves out.
    f.rope.type = "yarn";
    f.rope.factor = 32;
    f.rope.original = 4096;
    f.rope.truncate = false;
  }
  visit_rope(v, f.rope, f, 150000);
  if (!v.reading() && v.gguf() && f.rope.type == "yarn" && f.rope.truncate)
    v.write("rope.scaling.yarn_truncate", true);
}

void visit(FieldVisitor& v, Fields& f) {
  visit_sizes(v, f, 1e-5);
  v(f.kv_heads, "num_key_value_heads", "attention.head_count_kv", f.heads);
  visit_head_dim(v, f, 64);
  visit_head(v, f, false);
  visit_gpt_oss_rope(v, f);
  visit_attention_bias(v, f, true, true);
  visit_sliding_window(v, f, 128, 128);
  visit_layer_types(v, f, 2);
  v(f.experts.experts, "num_local_experts|num_experts", "expert_count", 128);
  v(f.experts.top_k, "num_experts_per_tok|experts_per_token", "expert_used_count", 4);
  v(f.experts.width, "intermediate_size", "expert_feed_forward_length|feed_forward_length");
  v(f.experts.alpha, "swiglu_alpha", "", 1.702);
  v(f.experts.limit, "swiglu_limit", "", 7.0);
  v.expect("hidden_act", {"silu"});
  f.activation = "clamped";
  f.experts.bias = f.experts.router.bias = true;
  f.experts.scoring = "softmax_selected";
}

Block block(const Fields& f, int64_t layer) {
  AttentionPart attention = grouped_attention(f, layer);
  attention.sinks = true;
  return {PreNorm{rms(f.eps)}, attention, experts(f)};
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  norm_name(n, "ffn_norm", "post_attention_layernorm", {"post_attention_norm", "ffn_norm"});
  n.add("layers.{i}.attn.sinks", {"model.layers.{i}.self_attn.sinks"},
        {"blk.{i}.attn_sinks.weight", "blk.{i}.attn_sinks"});
  const std::string mlp = "model.layers.{i}.mlp.";
  n.add("layers.{i}.ffn.router", {mlp + "router.weight"}, {"blk.{i}.ffn_gate_inp.weight"});
  n.add("layers.{i}.ffn.router_bias", {mlp + "router.bias"}, {"blk.{i}.ffn_gate_inp.bias"});
  for (const auto& [name, row] : {std::pair{"gate", 0}, std::pair{"up", 1}}) {
    const std::string canonical = std::string("layers.{i}.ffn.experts.") + name;
    const std::string gguf = std::string("blk.{i}.ffn_") + name + "_exps.";
    n.add(canonical, {transposed_unless_packed(rows(mlp + "experts.gate_up_proj", 2, row, 1))},
          {gguf + "weight"});
    n.add(canonical + "_bias", {rows(mlp + "experts.gate_up_proj_bias", 2, row, 1)},
          {gguf + "bias"});
  }
  n.add("layers.{i}.ffn.experts.down", {transposed_unless_packed(mlp + "experts.down_proj")},
        {"blk.{i}.ffn_down_exps.weight"});
  n.add("layers.{i}.ffn.experts.down_bias", {mlp + "experts.down_proj_bias"},
        {"blk.{i}.ffn_down_exps.bias"});
}

}  // namespace ashlar::gpt_oss

const ashlar::Family ashlar::kGptOss{.name = "gpt_oss",
                                     .architectures = {"GptOssForCausalLM"},
                                     .gguf = "gpt-oss",
                                     .pre = "gpt-4o",
                                     .visit = gpt_oss::visit,
                                     .block = gpt_oss::block,
                                     .names = gpt_oss::names};
