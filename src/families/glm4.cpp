// GLM-4 (0414), GLM-Z1, dense: norms before and after attention and feed-forward; half of each head
// rotates, in pairs of neighbours; gate and up fused in files.
//   x ─┬─ norm ─ attention ─ norm ─(+)─┬─ norm ─ swiglu ─ norm ─(+)─►
//      └───────────────────────────────┘└───────────────────────┘
#include "families/decoder.h"

namespace ashlar {
namespace glm4 {

void visit(FieldVisitor& v, Fields& f) {
  visit_shape(v, f, {40, 4096, 151552, 131072, 32, 2, 13696});
  v(f.eps, "rms_norm_eps", "attention.layer_norm_rms_epsilon", 1.5625e-7);
  visit_head_dim(v, f, 128);
  visit_activation(v, f, "hidden_act", "silu");
  visit_head(v, f, false);
  visit_attention_bias(v, f, false, true);
  visit_rotary_fraction(v, f, 0.5);
  visit_rope(v, f.rope, f, 10000);
  f.rotary.interleaved = true;
}

Block block(const Fields& f, int64_t layer) {
  return {Sandwich{rms(f.eps)}, grouped_attention(f, layer), dense(f)};
}

Blueprint blueprint(const Fields& f) { return decoder(f, "glm4", block); }

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  norm_name(n, "attn_post_norm", "post_self_attn_layernorm", {"post_attention_norm"});
  norm_name(n, "ffn_norm", "post_attention_layernorm", {"ffn_norm"});
  norm_name(n, "ffn_post_norm", "post_mlp_layernorm", {"post_ffw_norm"});
  fused_gate_up_names(n, f);
}

}  // namespace glm4

const Family kGlm4{.name = "glm4",
                   .model_types = {"glm4"},
                   .architectures = {"Glm4ForCausalLM"},
                   .gguf = "glm4",
                   .pre = "glm4",
                   .visit = glm4::visit,
                   .blueprint = glm4::blueprint,
                   .names = glm4::names};

}  // namespace ashlar
