// GPT-2: layer norms, learned positions, biases everywhere, no gate. Checkpoints keep matrices
// transposed (Conv1D), with q, k and v in one.
#include "base/error.h"
#include "families/decoder.h"

namespace ashlar::gpt2 {

void visit_gpt2_scale(FieldVisitor& v, Fields& f) {
  bool by_head_dim = v.reading() || f.attention.query_scalar == static_cast<double>(f.head_dim);
  v(by_head_dim, "scale_attn_weights", "", true);
  if (v.reading()) f.attention.query_scalar = by_head_dim ? 0 : 1;
  v(f.attention.scale_by_layer, "scale_attn_by_inverse_layer_idx", "", false);
}

void visit(FieldVisitor& v, Fields& f) {
  v(f.layers, "n_layer|num_hidden_layers", "block_count", 12);
  v(f.d_model, "n_embd|hidden_size", "embedding_length", 768);
  v(f.vocab, "vocab_size", "vocab_size", 50257);
  v(f.positions, "n_positions|max_position_embeddings|n_ctx", "context_length", 1024);
  v(f.heads, "n_head|num_attention_heads", "attention.head_count", 12);
  v(f.ffn, "n_inner", "feed_forward_length", 4 * f.d_model);
  v(f.eps, "layer_norm_epsilon", "attention.layer_norm_epsilon", 1e-5);
  visit_activation(v, f, "activation_function", "gelu_pytorch_tanh", "relu");
  visit_head(v, f, true);
  visit_head_dim(v, f);
  if (!v.reading() && f.heads * f.head_dim != f.d_model) {
    fail(ErrorKind::unsupported,
         "{}: {} heads of {} numbers: expected {} in all, the width of the embedding, as files of "
         "GPT-2 have no word for another size of heads",
         v.where(), f.heads, f.head_dim, f.d_model);
  }
  visit_gpt2_scale(v, f);
  v.refuse_unless("add_cross_attention", {false});
  f.kv_heads = f.heads;
  f.context = f.positions;
  f.qkv_bias = f.output_bias = f.ffn_bias = true;
}

Block block(const Fields& f, int64_t layer) {
  return {PreNorm{layer_norm(f.eps)}, grouped_attention(f, layer), without_gate(dense(f))};
}

void names(Names& n, const Fields& f) {
  n.add("embedding", {"transformer.wte.weight"}, {"token_embd.weight"});
  n.add("positions", {"transformer.wpe.weight"}, {"position_embd.weight"});
  n.add("head", {"lm_head.weight"}, {"output.weight"});
  const int64_t heads = f.heads * f.head_dim;
  const auto add = [&](const std::string& canonical, const std::string& config,
                       const std::string& gguf, bool is_transposed, int64_t begin = -1) {
    for (const auto& [suffix, end] : {std::pair{"", ".weight"}, std::pair{"_bias", ".bias"}}) {
      Source c("transformer." + config + end), g(gguf + end);
      if (is_transposed && *suffix == '\0') c = transposed(c);
      if (begin >= 0) c = rows(c, 3 * heads, begin, heads);
      if (begin >= 0) g = rows(g, 3 * heads, begin, heads);
      n.add(canonical + suffix, {c}, {g});
    }
  };
  add("final_norm", "ln_f", "output_norm", false);
  add("layers.{i}.attn_norm", "h.{i}.ln_1", "blk.{i}.attn_norm", false);
  add("layers.{i}.ffn_norm", "h.{i}.ln_2", "blk.{i}.ffn_norm", false);
  add("layers.{i}.attn.q", "h.{i}.attn.c_attn", "blk.{i}.attn_qkv", true, 0);
  add("layers.{i}.attn.k", "h.{i}.attn.c_attn", "blk.{i}.attn_qkv", true, heads);
  add("layers.{i}.attn.v", "h.{i}.attn.c_attn", "blk.{i}.attn_qkv", true, 2 * heads);
  add("layers.{i}.attn.o", "h.{i}.attn.c_proj", "blk.{i}.attn_output", true);
  add("layers.{i}.ffn.up", "h.{i}.mlp.c_fc", "blk.{i}.ffn_up", true);
  add("layers.{i}.ffn.down", "h.{i}.mlp.c_proj", "blk.{i}.ffn_down", true);
}

}  // namespace ashlar::gpt2

const ashlar::Family ashlar::kGpt2{.name = "gpt2",
                                   .architectures = {"GPT2LMHeadModel"},
                                   .pre = "gpt-2",
                                   .root = "transformer.",
                                   .visit = gpt2::visit,
                                   .block = gpt2::block,
                                   .names = gpt2::names};
