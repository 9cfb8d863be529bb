// OLMo 2: norms after attention and feed-forward, inside the residual, and over the whole query and
// key projections.
//   x ─┬─ attention ─ norm ─(+)─┬─ swiglu ─ norm ─(+)─►
//      └────────────────────────┘└────────────────┘
#include "families/decoder.h"

namespace ashlar {
namespace olmo2 {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, false, 1e-5);
  visit_rope(v, f.rope, f, 10000);
  visit_attention_bias(v, f);
}

Block block(const Fields& f, int64_t layer) {
  AttentionPart attention = grouped_attention(f, layer);
  attention.qk_norm = QkNorm::projection;
  attention.qk_norm_eps = f.eps;
  return {InnerPostNorm{rms(f.eps)}, attention, dense(f)};
}

Blueprint blueprint(const Fields& f) { return decoder(f, "olmo2", block); }

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  qk_norm_names(n);
  post_norm_names(n);
}

}  // namespace olmo2

const Family kOlmo2{.name = "olmo2",
                    .model_types = {"olmo2"},
                    .architectures = {"Olmo2ForCausalLM"},
                    .gguf = "olmo2",
                    .pre = "dbrx",
                    .visit = olmo2::visit,
                    .blueprint = olmo2::blueprint,
                    .names = olmo2::names};

}  // namespace ashlar
