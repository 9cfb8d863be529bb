// Llama 4, text tower: three of four layers rotate (interleaved) and see aligned chunks, the fourth
// sees everything, unrotated, with tempered queries. One expert of many, weighed at its input,
// beside a shared one, on every layer (Scout) or every second (Maverick).
#include "families/decoder.h"

namespace ashlar::llama4 {

// Llama 4's moe_layers
void visit_expert_list(FieldVisitor& v, Fields& f) {
  v(f.experts.step, "interleave_moe_layer_step", "interleave_moe_layer_step", 1);
  find_dense_layers(v, f);
  if (v.gguf()) return;
  const std::vector<int64_t> absent{-2}, none{-1};
  std::vector<int64_t> list = f.experts.layers == none ? std::vector<int64_t>{} : f.experts.layers;
  v(list, "moe_layers", "", absent);
  if (v.reading() && list != absent) f.experts.layers = list.empty() ? none : list;
}

// attn_temperature_tuning
void visit_temperature(FieldVisitor& v, Fields& f) {
  if (v.reading()) {  // early configs have 4 for true
    std::vector<int64_t> on;
    v(on, "attn_temperature_tuning", "attention.temperature_tuning", std::vector<int64_t>{1});
    f.attention.tempered = !on.empty() && on[0] != 0;
    v(f.attention.temperature_scale, "attn_scale", "attention.temperature_scale", 0.1);
    v(f.attention.temperature_length, "floor_scale", "attention.temperature_length", 8192.0);
    return;
  }
  if (!v.gguf()) {
    v(f.attention.tempered, "attn_temperature_tuning", "");
    v(f.attention.temperature_scale, "attn_scale", "");
    v.write_whole("floor_scale", f.attention.temperature_length);
    return;
  }
  // Readers imply these numbers.
  const bool everywhere_rotating = f.window.full_layers == 0 && !f.attention.tempered;
  if (!f.attention.tempered && !everywhere_rotating) v.write("attention.temperature_tuning", false);
  if (f.attention.temperature_scale != 0.1)
    v(f.attention.temperature_scale, "", "attention.temperature_scale");
  if (f.attention.temperature_length != 8192)
    v(f.attention.temperature_length, "", "attention.temperature_length");
}

// use_qk_norm
void visit_llama4_norm(FieldVisitor& v, Fields& f) {
  // Readers of GGUF know Maverick, which has none, by its 128 experts.
  const bool implied = f.experts.experts != 128;
  if (v.reading() || !v.gguf() || f.qk_norm != implied)
    v(f.qk_norm, "use_qk_norm", "attention.qk_norm", true, implied);
}

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, false, 1e-5);
  visit_attention_bias(v, f);
  visit_rope(v, f.rope, f, 5e5);
  visit_rope_layers(v, f);
  visit_layer_types(v, f);
  visit_chunk(v, f);
  v(f.ffn, "intermediate_size_mlp", "feed_forward_length", 16384);
  v(f.experts.width, "intermediate_size", "expert_feed_forward_length", 8192);
  v(f.experts.experts, "num_local_experts", "expert_count", 16);
  v(f.experts.top_k, "num_experts_per_tok", "expert_used_count", 1);
  visit_expert_list(v, f);
  visit_llama4_norm(v, f);
  visit_temperature(v, f);
  f.rotary.interleaved = true;
  f.experts.scoring = "sigmoid";
  f.experts.shared_count = 1;
  f.experts.weigh_input = true;
}

Block block(const Fields& f, int64_t layer) {
  AttentionPart attention = grouped_attention(f, layer, QkNorm::none);
  if (f.qk_norm && f.rotates(layer)) {
    attention.qk_norm = QkNorm::after_rope;
    attention.qk_norm_eps = f.eps;
  }
  if (f.attention.tempered && !f.rotates(layer))
    attention.temperature =
        Temperature{f.attention.temperature_scale, f.attention.temperature_length};
  return {PreNorm{rms(f.eps)}, attention, feed_forward(f, layer)};
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  dense_names(n, "ffn", "feed_forward", "");
  dense_names(n, "ffn.shared", "feed_forward.shared_expert", "_shexp");
  n.add("layers.{i}.ffn.router", {"model.layers.{i}.feed_forward.router.weight"},
        {"blk.{i}.ffn_gate_inp.weight"});
  const std::string both = "model.layers.{i}.feed_forward.experts.gate_up_proj";
  n.add("layers.{i}.ffn.experts.gate",
        {transposed(rows(both, 2 * f.experts.width, 0, f.experts.width))},
        {"blk.{i}.ffn_gate_exps.weight"});
  n.add("layers.{i}.ffn.experts.up",
        {transposed(rows(both, 2 * f.experts.width, f.experts.width, f.experts.width))},
        {"blk.{i}.ffn_up_exps.weight"});
  n.add("layers.{i}.ffn.experts.down",
        {transposed("model.layers.{i}.feed_forward.experts.down_proj")},
        {"blk.{i}.ffn_down_exps.weight"});
}

}  // namespace ashlar::llama4

const ashlar::Family ashlar::kLlama4{
    .name = "llama4",
    .model_types = {"llama4_text", "llama4"},
    .architectures = {"Llama4ForCausalLM", "Llama4ForConditionalGeneration"},
    .pre = "llama4",
    .visit = llama4::visit,
    .block = llama4::block,
    .names = llama4::names};
