// DeepSeek-V3 and R1, and the shape that Kimi K2 shares: latent attention; experts by sigmoid,
// chosen with a correction bias within the best groups; one layer that predicts the token after the
// next.
#include "families/deepseek_v3.h"

namespace ashlar::deepseek_v3 {

void visit(FieldVisitor& v, Fields& f) {
  visit_sizes(v, f);
  visit_activation(v, f, "hidden_act", "silu");
  visit_head(v, f, false);
  visit_latent_attention(v, f);
  visit_latent_rope(v, f, 10000);
  visit_deepseek_experts(v, f, true);
  visit_mtp(v, f, false);
  v.expect("topk_method", {"noaux_tc"});
  v(f.qkv_bias, "attention_bias", "?blk.0.attn_output.bias", false);
  visit_interleave(v, f);
  f.experts.router.correction_bias = true;
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  latent_names(n, f);
  expert_names(n);
  correction_name(n, "model.layers.{i}.mlp.gate.e_score_correction_bias");
  dense_names(n, "ffn.shared", "mlp.shared_experts", "_shexp");
  mtp_names(n);
}

}  // namespace ashlar::deepseek_v3

const ashlar::Family ashlar::kDeepSeekV3{.name = "deepseek_v3",
                                         .architectures = {"DeepseekV3ForCausalLM"},
                                         .gguf = "deepseek2",
                                         .pre = "deepseek-v3",
                                         .visit = deepseek_v3::visit,
                                         .names = deepseek_v3::names};
