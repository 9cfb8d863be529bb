// Qwen3, dense: Llama's block with a norm on each query and key head before they rotate.
#include "families/decoder.h"

namespace ashlar::qwen3 {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, false, 1e-6, 128);
  visit_rope(v, f.rope, f, 10000);
  visit_attention_bias(v, f);
  visit_window(v, f);
  visit_layer_types(v, f);
  v(f.window.full_layers, "max_window_layers", "", 28, 0);
  f.qk_norm = true;
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  qk_norm_names(n);
}

}  // namespace ashlar::qwen3

const ashlar::Family ashlar::kQwen3{.name = "qwen3",
                                    .architectures = {"Qwen3ForCausalLM"},
                                    .pre = "qwen2",
                                    .visit = qwen3::visit,
                                    .names = qwen3::names};
