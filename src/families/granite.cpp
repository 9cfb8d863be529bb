// Granite 3, dense: Llama's block with multipliers on the embedding, the scores, what each branch
// adds to the stream, and (as a divisor) the logits.
#include "families/decoder.h"

namespace ashlar {
namespace granite {

void visit(FieldVisitor& v, Fields& f) {
  visit_shape(v, f, {32, 4096, 32000, 2048, 32, 0, 11008});
  v(f.eps, "rms_norm_eps", "attention.layer_norm_rms_epsilon", 1e-6);
  visit_head_dim(v, f);
  visit_activation(v, f, "hidden_act", "silu");
  visit_head(v, f, false);
  visit_rope(v, f.rope, f, 10000);
  visit_attention_bias(v, f);
  v(f.ffn_bias, "mlp_bias", "?blk.0.ffn_gate.bias", false);
  if (v.gguf()) visit_position_embedding_type(v, f);
  visit_multipliers(v, f);
}

Block block(const Fields& f, int64_t layer) {
  return {PreNorm{rms(f.eps), f.residual_scale}, grouped_attention(f, layer), dense(f)};
}

Blueprint blueprint(const Fields& f) { return decoder(f, "granite", block); }

void names(Names& n, const Fields& f) { decoder_names(n, f, true); }

}  // namespace granite

const Family kGranite{.name = "granite",
                      .model_types = {"granite"},
                      .architectures = {"GraniteForCausalLM"},
                      .gguf = "granite",
                      .pre = "refact",
                      .visit = granite::visit,
                      .blueprint = granite::blueprint,
                      .names = granite::names};

}  // namespace ashlar
