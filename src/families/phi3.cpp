// Phi-3, Phi-3.5, Phi-4 and Phi-4-mini: Llama's block with q, k, v and gate, up fused in files.
// LongRoPE has two tables of frequencies: the context asked for decides which one rotates.
#include "families/decoder.h"

namespace ashlar::phi3 {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, {32, 3072, 32064, 4096, 32, 0, 8192}, false, 1e-5);
  visit_rotary_fraction(v, f, 1);
  if (v.reading()) v(f.rope.original, "original_max_position_embeddings", "", 4096);
  visit_rope(v, f.rope, f, 10000);
  v.nullable(f.window.size, "sliding_window", "attention.sliding_window", 0);
  for (const char* bias : {"attention_bias", "mlp_bias", "lm_head_bias"})
    v.refuse_unless(bias, {false});
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  fused_qkv_names(n, f);
  fused_gate_up_names(n, f);
}

}  // namespace ashlar::phi3

const ashlar::Family ashlar::kPhi3{.name = "phi3",
                                   .architectures = {"Phi3ForCausalLM"},
                                   .visit = phi3::visit,
                                   .names = phi3::names};
