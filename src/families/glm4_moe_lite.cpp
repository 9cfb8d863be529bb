// GLM-4.7-Flash: DeepSeek-V3's shape, small, with one layer that predicts the token after the next.
#include "families/deepseek_v3.h"

namespace ashlar {
namespace {

void visit(FieldVisitor& v, Fields& f) {
  visit_shape(v, f, {47, 2048, 154880, 202752, 20, 20, 10240});
  v(f.eps, "rms_norm_eps", "attention.layer_norm_rms_epsilon", 1e-5);
  visit_activation(v, f, "hidden_act", "silu");
  visit_head(v, f, false);
  visit_mtp(v, f, true);
  visit_latent_attention(v, f, {768, 512, 64, 192, 256});
  visit_latent_rope(v, f, 10000);
  visit_deepseek_experts(v, f, true, {64, 4, 1536, 1, 1.8});
  visit_ffn_types(v, f);
  v.expect("topk_method", {"noaux_tc"});
  v.refuse_unless("rope_parameters.partial_rotary_factor|partial_rotary_factor", {1.0, 1});
  v(f.qkv_bias, "attention_bias", "?blk.0.attn_output.bias", false);
  visit_interleave(v, f);
  f.rope_interleaved = v.gguf() || f.rope_interleaved;
  f.correction = true;
}

Blueprint blueprint(const Fields& f) { return decoder(f, "glm4_moe_lite", deepseek_v3::block); }

// Its files count the layer of multi-token prediction, which DeepSeek-V3's leave out; the others
// are alike.
bool claims(const GgufKeys& keys) { return keys.keys.contains("nextn_predict_layers"); }

}  // namespace

const Family kGlm4MoeLite{.name = "glm4_moe_lite",
                          .model_types = {"glm4_moe_lite"},
                          .architectures = {"Glm4MoeLiteForCausalLM"},
                          .gguf = "deepseek2",
                          .claims = claims,
                          .pre = "glm4",
                          .visit = visit,
                          .blueprint = blueprint,
                          .names = deepseek_v3::names};

}  // namespace ashlar
