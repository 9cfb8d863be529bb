// ERNIE 4.5, dense: Llama's block, rotated in interleaved order as published.
#include "families/decoder.h"

namespace ashlar::ernie4_5 {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, {18, 1024, 103424, 131072, 16, 2, 3072}, true, 1e-5, 128);
  visit_rope(v, f.rope, f, 5e5);
  v(f.qkv_bias, "use_bias", "?blk.0.attn_q.bias", false);
  f.output_bias = f.ffn_bias = f.qkv_bias;
  f.rotary.interleaved = true;
}

}  // namespace ashlar::ernie4_5

const ashlar::Family ashlar::kErnie45{
    .name = "ernie4_5",
    .architectures = {"Ernie4_5ForCausalLM", "Ernie4_5_ForCausalLM"},
    .visit = ernie4_5::visit};
