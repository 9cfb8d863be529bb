// Gemma 2: norms before and after; every second layer slides; scores and logits are capped; the
// embedding scaled by sqrt(d_model). Checkpoints keep norms as w - 1.
//   x ─┬─ norm ─ attention ─ norm ─(+)─┬─ norm ─ geglu ─ norm ─(+)─►
//      └───────────────────────────────┘└──────────────────────┘
#include "families/decoder.h"

namespace ashlar::gemma2 {

void visit(FieldVisitor& v, Fields& f) {
  visit_shape(v, f, {26, 2304, 256000, 8192, 8, 4, 9216});
  v(f.eps, "rms_norm_eps", "attention.layer_norm_rms_epsilon", 1e-6);
  visit_head_dim(v, f, 256);
  visit_activation(v, f, "hidden_activation|hidden_act", "gelu_pytorch_tanh");
  visit_head(v, f, true);
  visit_attention_bias(v, f);
  visit_rope(v, f.rope, f, 10000);
  visit_sliding_window(v, f, 4096, 4096);
  visit_layer_types(v, f, 2);
  visit_query_scalar(v, f, 46);
  v.nullable(f.attention.softcap, "attn_logit_softcapping", "attn_logit_softcapping", 50);
  v.nullable(f.logit_softcap, "final_logit_softcapping", "final_logit_softcapping", 30);
  v.refuse_unless("use_bidirectional_attention", {false});
  f.embedding_scale = square_root(f.d_model);
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  post_norm_names(n, true);
  norms_minus_one(n);
}

}  // namespace ashlar::gemma2

const ashlar::Family ashlar::kGemma2{.name = "gemma2",
                                     .architectures = {"Gemma2ForCausalLM"},
                                     .visit = gemma2::visit,
                                     .block = sandwich_block,
                                     .names = gemma2::names};
