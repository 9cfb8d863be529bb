// Qwen2 and Qwen2.5, dense: Llama's block with biases on queries, keys and values. Windows, where
// used, are on the layers after the first max_window_layers.
#include "families/decoder.h"

namespace ashlar {
namespace qwen2 {

void visit(FieldVisitor& v, Fields& f) {
  visit_shape(v, f, {32, 4096, 151936, 32768, 32, 32, 22016});
  v(f.eps, "rms_norm_eps", "attention.layer_norm_rms_epsilon", 1e-6);
  visit_head_dim(v, f);
  visit_activation(v, f, "hidden_act", "silu");
  visit_head(v, f, false);
  visit_rope(v, f.rope, f, 10000);
  visit_window(v, f);
  visit_layer_types(v, f);
  v(f.window.full_layers, "max_window_layers", "", 28, 0);
  f.qkv_bias = true;
}

Block block(const Fields& f, int64_t layer) {
  return {PreNorm{rms(f.eps)}, grouped_attention(f, layer), dense(f)};
}

Blueprint blueprint(const Fields& f) { return decoder(f, "qwen2", block); }

void names(Names& n, const Fields& f) { decoder_names(n, f); }

}  // namespace qwen2

const Family kQwen2{.name = "qwen2",
                    .model_types = {"qwen2"},
                    .architectures = {"Qwen2ForCausalLM"},
                    .gguf = "qwen2",
                    .pre = "qwen2",
                    .visit = qwen2::visit,
                    .blueprint = qwen2::blueprint,
                    .names = qwen2::names};

}  // namespace ashlar
