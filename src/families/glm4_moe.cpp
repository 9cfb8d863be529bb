// GLM-4.5 and GLM-4.5-Air: grouped-query attention of which half of each head rotates,
// DeepSeek-V3's experts, one layer that predicts the token after the next.
#include "families/decoder.h"

namespace ashlar::glm4_moe {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, false, 1e-5);
  visit_mtp(v, f, true);
  visit_attention_bias(v, f, false);
  visit_rotary_fraction(v, f, 0.5);
  visit_rope(v, f.rope, f, 10000);
  v(f.qk_norm, "use_qk_norm", "?blk.0.attn_q_norm.weight", false);
  visit_deepseek_experts(v, f, true);
  f.experts.router.correction_bias = true;
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  qk_norm_names(n);
  norm_name(n, "ffn_norm", "post_attention_layernorm", {"post_attention_norm", "ffn_norm"});
  expert_names(n);
  correction_name(n, "model.layers.{i}.mlp.gate.e_score_correction_bias");
  dense_names(n, "ffn.shared", "mlp.shared_experts", "_shexp");
  mtp_names(n);
}

}  // namespace ashlar::glm4_moe

const ashlar::Family ashlar::kGlm4Moe{.name = "glm4_moe",
                                      .architectures = {"Glm4MoeForCausalLM"},
                                      .gguf = "glm4moe",
                                      .pre = "glm4",
                                      .visit = glm4_moe::visit,
                                      .names = glm4_moe::names};
