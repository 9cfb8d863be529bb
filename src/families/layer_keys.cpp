// Keys of sizes with their usual values, and keys that say which layers slide or have experts.

#include <fmt/format.h>

#include "base/error.h"
#include "families/decoder.h"

namespace ashlar {

void visit_shape(FieldVisitor& v, Fields& f, const FallbackShape& fallback) {
  const auto size = [&](int64_t& member, std::string_view config, std::string_view gguf,
                        int64_t otherwise) {
    if (v.gguf() && v.reading() && otherwise > 0)
      v(member, config, gguf);  // files of GGUF leave none out
    else
      v(member, config, gguf, otherwise);
  };
  size(f.layers, "num_hidden_layers", "block_count", fallback.layers);
  size(f.d_model, "hidden_size", "embedding_length", fallback.d_model);
  size(f.vocab, "vocab_size", "vocab_size", fallback.vocab);
  if (v.reading() || f.context > 0)
    v(f.context, "max_position_embeddings", "context_length", fallback.context, 0);
  size(f.heads, "num_attention_heads", "attention.head_count", fallback.heads);
  const bool all = fallback.kv_heads == 0 || v.is_null("num_key_value_heads");
  v(f.kv_heads, "num_key_value_heads", "attention.head_count_kv", all ? f.heads : fallback.kv_heads,
    f.heads);
  size(f.ffn, "intermediate_size", "feed_forward_length", fallback.ffn);
}

void visit_decoder(FieldVisitor& v, Fields& f, const FallbackShape& fallback, bool tied, double eps,
                   int64_t head_dim) {
  visit_shape(v, f, fallback);
  v(f.eps, "rms_norm_eps", "attention.layer_norm_rms_epsilon", eps);
  visit_head_dim(v, f, head_dim);
  visit_activation(v, f, "hidden_act", "silu");
  visit_head(v, f, tied);
}

void visit_rotary_dim(FieldVisitor& v, Fields& f) {
  int64_t dim = f.rotary.dim > 0 ? f.rotary.dim : f.head_dim;
  v(dim, "rotary_dim", "", f.head_dim);
  if (v.reading() && f.head_dim > 0 && (dim < 1 || dim > f.head_dim)) {
    fail(ErrorKind::format, "{}: rotary_dim: expected 1 to {}, found {}", v.where(), f.head_dim,
         dim);
  }
  visit_rotary_fraction(
      v, f, f.head_dim > 0 ? static_cast<double>(dim) / static_cast<double>(f.head_dim) : 1);
}

void visit_shared_width(FieldVisitor& v, Fields& f) {
  if (!v.gguf() || (!v.reading() && f.experts.shared_count == 0)) return;
  int64_t width = f.experts.shared_count * f.experts.width;
  v(width, "", "expert_shared_feed_forward_length", width);
}

}  // namespace ashlar
