// Llama 2, 3, 3.1, 3.2, 3.3 and the many with its shape (SmolLM2, TinyLlama).
//   x ─┬─ norm ─ attention ─(+)─┬─ norm ─ swiglu ─(+)─►
//      └────────────────────────┘└────────────────┘
#include "families/decoder.h"

namespace ashlar::llama {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, false);
  visit_rope(v, f.rope, f, 10000);
  visit_attention_bias(v, f);
  v(f.ffn_bias, "mlp_bias", "?blk.0.ffn_gate.bias", false);
}

}  // namespace ashlar::llama

const ashlar::Family ashlar::kLlama{.name = "llama",
                                    .architectures = {"LlamaForCausalLM"},
                                    .pre = "llama-bpe",
                                    .visit = llama::visit,
                                    .names = interleaved_names};
