// Qwen2 and Qwen2.5, dense: Llama's block with biases on queries, keys and values. Windows, where
// used, are on the layers after the first max_window_layers.
#include "families/decoder.h"

namespace ashlar::qwen2 {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, {32, 4096, 151936, 32768, 32, 32, 22016}, false, 1e-6);
  visit_rope(v, f.rope, f, 10000);
  visit_window(v, f);
  visit_layer_types(v, f);
  v(f.window.full_layers, "max_window_layers", "", 28, 0);
  f.qkv_bias = true;
}

}  // namespace ashlar::qwen2

const ashlar::Family ashlar::kQwen2{
    .name = "qwen2", .architectures = {"Qwen2ForCausalLM"}, .pre = "qwen2", .visit = qwen2::visit};
