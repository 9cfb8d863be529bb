// DeepSeek-V2 and V2-Lite: latent attention, experts by softmax (V2: within the best groups) beside
// shared ones. The scores' scale takes YaRN's mscale squared.
#include "families/deepseek_v3.h"

namespace ashlar {
namespace deepseek_v2 {

void visit(FieldVisitor& v, Fields& f) {
  visit_sizes(v, f);
  visit_activation(v, f, "hidden_act", "silu");
  visit_head(v, f, false);
  visit_latent_attention(v, f);
  visit_latent_rope(v, f, 10000);
  visit_deepseek_experts(v, f, false);
  visit_group_choice(v, f);
  v(f.qkv_bias, "attention_bias", "?blk.0.attn_output.bias", false);
  v.refuse_unless("mlp_bias", {false});
  f.rotary.interleaved = true;
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  latent_names(n, f);
  expert_names(n);
  dense_names(n, "ffn.shared", "mlp.shared_experts", "_shexp");
}

// DeepSeek-V3 has the same architecture in GGUF; its routers take sigmoids (2). Files of
// GLM-4.7-Flash do not say so, but have a bias for the choice of experts.
bool claims(const GgufKeys& keys) {
  if (keys.keys.contains("expert_gating_func")) return keys.keys["expert_gating_func"] != 2;
  return !has_correction(keys);
}

}  // namespace deepseek_v2

const Family kDeepSeekV2{.name = "deepseek_v2",
                         .architectures = {"DeepseekV2ForCausalLM"},
                         .gguf = "deepseek2",
                         .claims = deepseek_v2::claims,
                         .pre = "deepseek-llm",
                         .visit = deepseek_v2::visit,
                         .block = deepseek_v3::block,
                         .names = deepseek_v2::names};

}  // namespace ashlar
