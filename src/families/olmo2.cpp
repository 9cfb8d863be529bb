// OLMo 2: norms after attention and feed-forward, inside the residual, and over the whole query and
// key projections.
//   x ─┬─ attention ─ norm ─(+)─┬─ swiglu ─ norm ─(+)─►
//      └────────────────────────┘└────────────────┘
#include "families/decoder.h"

namespace ashlar::olmo2 {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, false, 1e-5);
  visit_rope(v, f.rope, f, 10000);
  visit_attention_bias(v, f);
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

}  // namespace ashlar::olmo2

const ashlar::Family ashlar::kOlmo2{.name = "olmo2",
                                    .architectures = {"Olmo2ForCausalLM"},
                                    .pre = "dbrx",
                                    .visit = olmo2::visit,
                                    .block = olmo2::block,
                                    .names = olmo2::names};
