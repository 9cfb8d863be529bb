// OLMo 3: OLMo 2's block with windows on three of four layers; YaRN stretches the others only.
#include "families/decoder.h"

namespace ashlar::olmo3 {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, {32, 4096, 50304, 2048, 32, 0, 11008}, false, 1e-5);
  visit_attention_bias(v, f);
  visit_rope(v, f.rope, f, 5e5, "full_attention");
  visit_local_rope(v, f, v.gguf() ? f.rope.theta : 5e5);
  visit_sliding_window(v, f, 4096, 4096);
  visit_layer_types(v, f, 4);
  f.qk_norm = true;
}

Block block(const Fields& f, int64_t layer) {
  return {InnerPostNorm{rms(f.eps)}, grouped_attention(f, layer, QkNorm::projection), dense(f)};
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  qk_norm_names(n);
  post_norm_names(n);
}

}  // namespace ashlar::olmo3

const ashlar::Family ashlar::kOlmo3{
    .name = "olmo3",
    .architectures = {"Olmo3ForCausalLM"},
    .gguf = "olmo2",
    .claims = [](const GgufKeys& keys) { return keys.keys.contains("attention.sliding_window"); },
    .pre = "dbrx",
    .visit = olmo3::visit,
    .block = olmo3::block,
    .names = olmo3::names};
