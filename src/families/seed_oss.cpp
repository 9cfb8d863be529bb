// Seed-OSS: Llama's block with biases on queries, keys and values.
#include "families/decoder.h"

namespace ashlar::seed_oss {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, {64, 4096, 155136, 524288, 80, 8, 27648}, false, 1e-6, 128);
  visit_rope(v, f.rope, f, 10000);
  visit_attention_bias(v, f, false, true);
  v(f.output_bias, "attention_out_bias", "?blk.0.attn_output.bias", false);
  v(f.ffn_bias, "mlp_bias", "?blk.0.ffn_gate.bias", false);
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  norm_name(n, "ffn_norm", "post_attention_layernorm", {"post_attention_norm", "ffn_norm"});
}

}  // namespace ashlar::seed_oss

const ashlar::Family ashlar::kSeedOss{.name = "seed_oss",
                                      .architectures = {"SeedOssForCausalLM"},
                                      .pre = "seed-coder",
                                      .visit = seed_oss::visit,
                                      .names = seed_oss::names};
