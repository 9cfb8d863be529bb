// Llama 4, text tower: three of four layers rotate (interleaved) and see aligned chunks, the fourth
// sees everything, unrotated, with tempered queries. One expert of many, weighed at its input,
// beside a shared one, on every layer (Scout) or every second (Maverick).
#include "families/decoder.h"

namespace ashlar {
namespace {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, false, 1e-5);
  visit_attention_bias(v, f);
  visit_rope(v, f.rope, f, 5e5);
  visit_rope_layers(v, f);
  visit_layer_types(v, f);
  visit_chunk(v, f);
  v(f.ffn, "intermediate_size_mlp", "feed_forward_length", 16384);
  v(f.expert_ffn, "intermediate_size", "expert_feed_forward_length", 8192);
  v(f.experts, "num_local_experts", "expert_count", 16);
  v(f.top_k, "num_experts_per_tok", "expert_used_count", 1);
  visit_expert_list(v, f);
  visit_llama4_norm(v, f);
  visit_temperature(v, f);
  f.rope_interleaved = true;
  f.scoring = "sigmoid";
  f.shared_experts = 1;
}

Block block(const Fields& f, int64_t layer) {
  AttentionPart attention = grouped_attention(f, layer, QkNorm::none);
  if (f.qk_norm && f.rotates(layer)) {
    attention.qk_norm = QkNorm::after_rope;
    attention.qk_norm_eps = f.eps;
  }
  if (f.temperature && !f.rotates(layer))
    attention.temperature = Temperature{f.temperature_scale, f.temperature_length};
  if (!f.has_experts(layer)) return {PreNorm{rms(f.eps)}, attention, dense(f)};
  ExpertFfnPart mixture = experts(f);
  mixture.weigh_input = true;
  return {PreNorm{rms(f.eps)}, attention, mixture};
}

Blueprint blueprint(const Fields& f) { return decoder(f, "llama4", block); }

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  dense_names(n, "ffn", "feed_forward", "");
  dense_names(n, "ffn.shared", "feed_forward.shared_expert", "_shexp");
  n.add("layers.{i}.ffn.router", {"model.layers.{i}.feed_forward.router.weight"},
        {"blk.{i}.ffn_gate_inp.weight"});
  const std::string both = "model.layers.{i}.feed_forward.experts.gate_up_proj";
  n.add("layers.{i}.ffn.experts.gate", {transposed(rows(both, 2 * f.expert_ffn, 0, f.expert_ffn))},
        {"blk.{i}.ffn_gate_exps.weight"});
  n.add("layers.{i}.ffn.experts.up",
        {transposed(rows(both, 2 * f.expert_ffn, f.expert_ffn, f.expert_ffn))},
        {"blk.{i}.ffn_up_exps.weight"});
  n.add("layers.{i}.ffn.experts.down",
        {transposed("model.layers.{i}.feed_forward.experts.down_proj")},
        {"blk.{i}.ffn_down_exps.weight"});
}

}  // namespace

const Family kLlama4{.name = "llama4",
                     .model_types = {"llama4_text", "llama4"},
                     .architectures = {"Llama4ForCausalLM", "Llama4ForConditionalGeneration"},
                     .gguf = "llama4",
                     .pre = "llama4",
                     .visit = visit,
                     .blueprint = blueprint,
                     .names = names};

}  // namespace ashlar
