// StarCoder2: layer norms, biases everywhere, no gate, grouped queries; a window on every layer.
#include "families/decoder.h"

namespace ashlar::starcoder2 {

void visit(FieldVisitor& v, Fields& f) {
  visit_shape(v, f, {30, 3072, 49152, 4096, 24, 2, 12288});
  v(f.eps, "norm_epsilon", "attention.layer_norm_epsilon", 1e-5);
  visit_head_dim(v, f);
  visit_activation(v, f, "hidden_act", "gelu_pytorch_tanh", "relu");
  visit_head(v, f, true);
  visit_rope(v, f.rope, f, 10000);
  // llama.cpp neither writes nor reads the window; a key of our own does not disturb it.
  v.nullable(f.window.size, "sliding_window", "attention.sliding_window", 0);
  v(f.qkv_bias, "use_bias", "?blk.0.attn_q.bias", true);
  v.refuse_unless("norm_type", {"layer_norm"});
  v.refuse_unless("mlp_type", {"default"});
  f.output_bias = f.ffn_bias = f.qkv_bias;
}

Block block(const Fields& f, int64_t layer) {
  return {PreNorm{layer_norm(f.eps)}, grouped_attention(f, layer), without_gate(dense(f))};
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  norm_bias_names(n);
  projection_names(n, "ffn.up", "mlp.c_fc", "ffn_up");
  projection_names(n, "ffn.down", "mlp.c_proj", "ffn_down");
}

}  // namespace ashlar::starcoder2

const ashlar::Family ashlar::kStarCoder2{.name = "starcoder2",
                                         .architectures = {"Starcoder2ForCausalLM"},
                                         .pre = "starcoder",
                                         .visit = starcoder2::visit,
                                         .block = starcoder2::block,
                                         .names = starcoder2::names};
