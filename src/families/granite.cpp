// Granite 3, dense: Llama's block with multipliers on the embedding, the scores, what each branch
// adds to the stream, and (as a divisor) the logits.
#include "families/decoder.h"

namespace ashlar {
namespace granite {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, {32, 4096, 32000, 2048, 32, 0, 11008}, false, 1e-6);
  visit_rope(v, f.rope, f, 10000);
  visit_attention_bias(v, f);
  v(f.ffn_bias, "mlp_bias", "?blk.0.ffn_gate.bias", false);
  if (v.gguf()) visit_position_embedding_type(v, f);
  visit_multipliers(v, f);
}

void names(Names& n, const Fields& f) { decoder_names(n, f, true); }

}  // namespace granite

const Family kGranite{.name = "granite",
                      .architectures = {"GraniteForCausalLM"},
                      .pre = "refact",
                      .visit = granite::visit,
                      .names = granite::names};

}  // namespace ashlar
