// Gemma 3: norms before and after, on queries and keys; windows on five of six layers, which rotate
// slower than the others; the embedding scaled by sqrt(d_model). Checkpoints keep norms as w - 1.
//   x ─┬─ norm ─ attention ─ norm ─(+)─┬─ norm ─ geglu ─ norm ─(+)─►
//      └───────────────────────────────┘└──────────────────────┘
#include "families/decoder.h"

namespace ashlar::gemma3 {

void visit(FieldVisitor& v, Fields& f) {
  v(f.layers, "num_hidden_layers", "block_count", 26);
  v(f.d_model, "hidden_size", "embedding_length", 2304);
  v(f.vocab, "vocab_size", "vocab_size", 262208);
  v(f.context, "max_position_embeddings", "context_length", 131072);
  v(f.heads, "num_attention_heads", "attention.head_count", 8);
  v(f.kv_heads, "num_key_value_heads", "attention.head_count_kv", 4);
  v(f.ffn, "intermediate_size", "feed_forward_length", 9216);
  v(f.eps, "rms_norm_eps", "attention.layer_norm_rms_epsilon", 1e-6);
  visit_head_dim(v, f, 256);
  visit_activation(v, f, "hidden_activation|hidden_act", "gelu_pytorch_tanh");
  visit_head(v, f, true);
  visit_attention_bias(v, f);
  visit_rope(v, f.rope, f, 1e6, "full_attention");
  visit_local_rope(v, f, 1e4);
  visit_sliding_window(v, f, 4096, 0);
  visit_layer_types(v, f, 6);
  visit_query_scalar(v, f, 62);
  v.nullable(f.logit_softcap, "final_logit_softcapping", "final_logit_softcapping", 0);
  v.refuse_unless("use_bidirectional_attention", {false});
  // attn_logit_softcapping is Gemma 2's: Transformers reads it and does nothing with it.
  f.qk_norm = true;
  f.embedding_scale = square_root(f.d_model);
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  qk_norm_names(n);
  post_norm_names(n, true);
  norms_minus_one(n);
}

}  // namespace ashlar::gemma3

const ashlar::Family ashlar::kGemma3{
    .name = "gemma3",
    .model_types = {"gemma3_text", "gemma3"},
    .architectures = {"Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"},
    .visit = gemma3::visit,
    .block = sandwich_block,
    .names = gemma3::names};
