// Granite 3, dense: Llama's block with multipliers on the embedding, the scores, what each branch
// adds to the stream, and (as a divisor) the logits.
#include "families/decoder.h"

namespace ashlar::granite {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, {32, 4096, 32000, 2048, 32, 0, 11008}, false, 1e-6);
  visit_rope(v, f.rope, f, 10000);
  visit_attention_bias(v, f);
  v(f.ffn_bias, "mlp_bias", "?blk.0.ffn_gate.bias", false);
  if (v.gguf()) visit_position_embedding_type(v, f);
  visit_multipliers(v, f);
}

}  // namespace ashlar::granite

const ashlar::Family ashlar::kGranite{.name = "granite",
                                      .architectures = {"GraniteForCausalLM"},
                                      .pre = "refact",
                                      .visit = granite::visit,
                                      .names = interleaved_names};
