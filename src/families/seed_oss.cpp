// Seed-OSS: Llama's block with biases on queries, keys and values.
#include "families/decoder.h"

namespace ashlar {
namespace seed_oss {

void visit(FieldVisitor& v, Fields& f) {
  visit_shape(v, f, {64, 4096, 155136, 524288, 80, 8, 27648});
  v(f.eps, "rms_norm_eps", "attention.layer_norm_rms_epsilon", 1e-6);
  visit_head_dim(v, f, 128);
  visit_activation(v, f, "hidden_act", "silu");
  visit_head(v, f, false);
  visit_rope(v, f.rope, f, 10000);
  visit_attention_bias(v, f, false, true);
  v(f.output_bias, "attention_out_bias", "?blk.0.attn_output.bias", false);
  v(f.ffn_bias, "mlp_bias", "?blk.0.ffn_gate.bias", false);
}

Block block(const Fields& f, int64_t layer) {
  return {PreNorm{rms(f.eps)}, grouped_attention(f, layer), dense(f)};
}

Blueprint blueprint(const Fields& f) { return decoder(f, "seed_oss", block); }

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  norm_name(n, "ffn_norm", "post_attention_layernorm", {"post_attention_norm", "ffn_norm"});
}

}  // namespace seed_oss

const Family kSeedOss{.name = "seed_oss",
                      .model_types = {"seed_oss"},
                      .architectures = {"SeedOssForCausalLM"},
                      .gguf = "seed_oss",
                      .pre = "seed-coder",
                      .visit = seed_oss::visit,
                      .blueprint = seed_oss::blueprint,
                      .names = seed_oss::names};

}  // namespace ashlar
