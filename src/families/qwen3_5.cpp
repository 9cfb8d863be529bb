// Qwen3.5 and Qwen3.6, text towers without experts: three of four layers are gated delta nets, the
// fourth attends with a gated output. Checkpoints keep norms as w - 1.
#include "families/qwen3_5.h"

namespace ashlar {
namespace qwen3_5 {

void visit(FieldVisitor& v, Fields& f, const FallbackShape& fallback) {
  visit_decoder(v, f, fallback, false, 1e-6, 256);
  visit_layers_left_aside(v, f);
  visit_attention_bias(v, f);
  visit_rotary_fraction(v, f, 0.25);
  visit_mrope(v, f, 10000);
  visit_linear_attention(v, f);
  f.qk_norm = true;
  f.attention.output_gate = true;
}

Mixer mixer(const Fields& f, int64_t layer) {
  if (f.linear(layer)) return gated_delta_net(f);
  return grouped_attention(f, layer);
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  qk_norm_names(n);
  norm_name(n, "ffn_norm", "post_attention_layernorm", {"post_attention_norm"});
  norms_minus_one(n);
  gated_query_names(n, f);
  delta_net_projections(n, f, true);
  delta_net_names(n, f, true);
}

}  // namespace qwen3_5

namespace qwen3_5 {

void visit(FieldVisitor& v, Fields& f) {
  qwen3_5::visit(v, f, {32, 4096, 248320, 32768, 16, 4, 12288});
}

Block block(const Fields& f, int64_t layer) {
  return {PreNorm{rms(f.eps)}, qwen3_5::mixer(f, layer), dense(f)};
}

}  // namespace qwen3_5

const Family kQwen35{.name = "qwen3_5",
                     .model_types = {"qwen3_5_text", "qwen3_5"},
                     .architectures = {"Qwen3_5ForCausalLM", "Qwen3_5ForConditionalGeneration"},
                     .gguf = "qwen35",
                     .pre = "qwen35",
                     .visit = qwen3_5::visit,
                     .block = qwen3_5::block,
                     .names = qwen3_5::names};

}  // namespace ashlar
