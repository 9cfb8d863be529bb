// GLM-4 (0414), GLM-Z1, dense: norms before and after attention and feed-forward; half of each head
// rotates, in pairs of neighbours; gate and up fused in files.
//   x ─┬─ norm ─ attention ─ norm ─(+)─┬─ norm ─ swiglu ─ norm ─(+)─►
//      └───────────────────────────────┘└───────────────────────┘
#include "families/decoder.h"

namespace ashlar::glm4 {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, {40, 4096, 151552, 131072, 32, 2, 13696}, false, 1.5625e-7, 128);
  visit_attention_bias(v, f, false, true);
  visit_rotary_fraction(v, f, 0.5);
  visit_rope(v, f.rope, f, 10000);
  f.rotary.interleaved = true;
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  norm_name(n, "attn_post_norm", "post_self_attn_layernorm", {"post_attention_norm"});
  norm_name(n, "ffn_norm", "post_attention_layernorm", {"ffn_norm"});
  norm_name(n, "ffn_post_norm", "post_mlp_layernorm", {"post_ffw_norm"});
  fused_gate_up_names(n, f);
}

}  // namespace ashlar::glm4

const ashlar::Family ashlar::kGlm4{.name = "glm4",
                                   .architectures = {"Glm4ForCausalLM"},
                                   .pre = "glm4",
                                   .visit = glm4::visit,
                                   .block = sandwich_block,
                                   .names = glm4::names};
