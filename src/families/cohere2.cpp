// Cohere2 (Command R7B, Command A): attention and feed-forward side by side under one layer norm
// without bias; three of four layers see a window and rotate (interleaved), the fourth sees
// everything, unrotated; logits are scaled.
//   x ─┬─ norm ─┬─ attention ─┐
//      │        └─ swiglu ───(+)─(+)─►
//      └──────────────────────────┘
#include "base/error.h"
#include "families/decoder.h"

namespace ashlar::cohere2 {

// Only the layers with a sliding window rotate.
void visit_windows_that_rotate(FieldVisitor& v, Fields& f) {
  visit_sliding_window(v, f, 4096, 4096);
  visit_layer_types(v, f, 4);
  f.window.with_rope = true;
  if (v.reading() && f.window.size == 0 && f.layer_types.empty()) {
    fail(ErrorKind::format,
         "{}: sliding_window: expected a size for the layers that slide, found none", v.where());
  }
}

void visit(FieldVisitor& v, Fields& f) {
  visit_shape(v, f, {40, 8192, 256000, 8192, 64, 0, 22528});
  v(f.eps, "layer_norm_eps", "attention.layer_norm_epsilon", 1e-5);
  visit_head_dim(v, f);
  visit_activation(v, f, "hidden_act", "silu");
  visit_head(v, f, true);
  v(f.logit_scale, "logit_scale", "logit_scale", 0.0625);
  visit_rope(v, f.rope, f, 10000);
  visit_attention_bias(v, f);
  visit_windows_that_rotate(v, f);
  // What published configs say beside it, and Transformers implies.
  v.refuse_unless("rotary_pct", {1.0, 1});
  v.refuse_unless("position_embedding_type", {"rope_gptj"});
  v.refuse_unless("order_of_interleaved_layers", {"local_attn_first"});
  v.refuse_unless("use_parallel_block", {true});
  v.refuse_unless("use_gated_activation", {true});
  v.refuse_unless("use_qk_norm", {false});
  f.rotary.interleaved = true;
}

Block block(const Fields& f, int64_t layer) {
  return {Parallel{layer_norm(f.eps, false)}, grouped_attention(f, layer), dense(f)};
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  norm_name(n, "norm", "input_layernorm", {"attn_norm"});
}

}  // namespace ashlar::cohere2

const ashlar::Family ashlar::kCohere2{.name = "cohere2",
                                      .architectures = {"Cohere2ForCausalLM"},
                                      .pre = "command-r",
                                      .visit = cohere2::visit,
                                      .block = cohere2::block,
                                      .names = cohere2::names};
