// OLMo 3: OLMo 2's block with windows on three of four layers; YaRN stretches the others only.
#include "families/decoder.h"

namespace ashlar {
namespace olmo3 {

void visit(FieldVisitor& v, Fields& f) {
  visit_shape(v, f, {32, 4096, 50304, 2048, 32, 0, 11008});
  v(f.eps, "rms_norm_eps", "attention.layer_norm_rms_epsilon", 1e-5);
  visit_head_dim(v, f);
  visit_activation(v, f, "hidden_act", "silu");
  visit_head(v, f, false);
  visit_attention_bias(v, f);
  visit_rope(v, f.rope, f, 5e5, "full_attention");
  visit_local_rope(v, f, v.gguf() ? f.rope.theta : 5e5);
  visit_sliding_window(v, f, 4096, 4096);
  visit_layer_types(v, f, 4);
}

Block block(const Fields& f, int64_t layer) {
  AttentionPart attention = grouped_attention(f, layer);
  attention.qk_norm = QkNorm::projection;
  attention.qk_norm_eps = f.eps;
  return {InnerPostNorm{rms(f.eps)}, attention, dense(f)};
}

Blueprint blueprint(const Fields& f) { return decoder(f, "olmo3", block); }

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  qk_norm_names(n);
  post_norm_names(n);
}

bool claims(const GgufKeys& keys) { return keys.keys.contains("attention.sliding_window"); }

}  // namespace olmo3

const Family kOlmo3{.name = "olmo3",
                    .model_types = {"olmo3"},
                    .architectures = {"Olmo3ForCausalLM"},
                    .gguf = "olmo2",
                    .claims = olmo3::claims,
                    .pre = "dbrx",
                    .visit = olmo3::visit,
                    .blueprint = olmo3::blueprint,
                    .names = olmo3::names};

}  // namespace ashlar
