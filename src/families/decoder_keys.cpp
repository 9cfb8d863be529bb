// Keys that families share.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "families/decoder.h"

namespace ashlar {

void visit_sizes(FieldVisitor& v, Fields& f, double eps) {
  v(f.layers, "num_hidden_layers", "block_count");
  v(f.d_model, "hidden_size", "embedding_length");
  v(f.vocab, "vocab_size", "vocab_size");
  if (v.reading() || f.context > 0) v(f.context, "max_position_embeddings", "context_length", 0);
  v(f.heads, "num_attention_heads", "attention.head_count");
  v(f.ffn, "intermediate_size", "feed_forward_length");
  v(f.eps, "rms_norm_eps", "attention.layer_norm_rms_epsilon", eps);
}

void visit_decoder(FieldVisitor& v, Fields& f, bool tied, double eps, int64_t head_dim) {
  visit_sizes(v, f, eps);
  v(f.kv_heads, "num_key_value_heads", "attention.head_count_kv", f.heads);
  visit_head_dim(v, f, head_dim);
  visit_activation(v, f, "hidden_act", "silu");
  visit_head(v, f, tied);
}

void expect_positive(const FieldVisitor& v, const double& value) {
  if (v.reading() && !(value > 0)) {
    fail(ErrorKind::format, "{}: {}: expected a positive number, found {}", v.where(),
         v.key_of(&value, "value"), value);
  }
}

void visit_head(FieldVisitor& v, Fields& f, bool tied) {
  // A wrapper's word counts more than that of its text_config, as in Transformers.
  v(f.tied, "^tie_word_embeddings|tie_word_embeddings", "!output.weight", tied);
}

void visit_head_dim(FieldVisitor& v, Fields& f, int64_t fallback) {
  const int64_t share = f.heads > 0 ? f.d_model / f.heads : 0;
  if (v.is_null("head_dim")) fallback = share;
  v(f.head_dim, "head_dim", "attention.key_length", fallback > 0 ? fallback : share, share);
  int64_t value = f.head_dim;
  v(value, "", "attention.value_length", f.head_dim);
  if (value != f.head_dim) {
    fail(ErrorKind::unsupported, "{}: attention.value_length: expected key_length {}, found {}",
         v.where(), f.head_dim, value);
  }
}

void visit_activation(FieldVisitor& v, Fields& f, std::string_view key, std::string_view fallback,
                      std::string_view other) {
  // GGUF says nothing of activations but for the exact GELU.
  if (!v.gguf())
    v(f.activation, key, "", std::string(fallback));
  else if (v.reading())
    v(f.activation, "", "hidden_activation", std::string(fallback));
  else if (f.activation == "gelu")
    v.write("hidden_activation", "gelu");
  if (f.activation == "swish") f.activation = "silu";
  if (f.activation == "gelu_new" || f.activation == "gelu_fast") f.activation = "gelu_pytorch_tanh";
  if (f.activation != other && f.activation != "gelu_pytorch_tanh" && f.activation != "gelu") {
    fail(ErrorKind::unsupported, "{}: {}: expected {}, gelu_pytorch_tanh or gelu, found {}",
         v.where(), v.key_of(&f.activation, key), other, f.activation);
  }
}

void visit_attention_bias(FieldVisitor& v, Fields& f, bool output, bool fallback) {
  v(f.qkv_bias, "attention_bias", "?blk.0.attn_q.bias", fallback);
  if (!output) return;
  if (v.gguf())
    v(f.output_bias, "", "?blk.0.attn_output.bias", fallback);
  else if (v.reading())
    f.output_bias = f.qkv_bias;
}

void visit_rotary_fraction(FieldVisitor& v, Fields& f, double fallback) {
  if (v.gguf()) {
    if (v.reading())
      f.rotary.dim = static_cast<int64_t>(static_cast<double>(f.head_dim) * fallback);
    return;
  }
  double fraction = f.head_dim > 0 && f.rotary.dim > 0
                        ? static_cast<double>(f.rotary.dim) / static_cast<double>(f.head_dim)
                        : 1;
  v(fraction, "rope_parameters.partial_rotary_factor|partial_rotary_factor", "", fallback);
  if (!(fraction > 0 && fraction <= 1)) {
    fail(ErrorKind::format, "{}: partial_rotary_factor: expected above 0 up to 1, found {}",
         v.where(), fraction);
  }
  if (!v.reading()) return;
  if (f.head_dim < 1 && (f.heads < 1 || f.heads > f.d_model)) {
    f.rotary.dim = 2;  // of sizes that are refused by their own keys
    return;
  }
  if (f.head_dim < 1) {
    fail(ErrorKind::format, "{}: {}: expected at least 1, found {}", v.where(),
         v.key_of(&f.head_dim, "head_dim"), f.head_dim);
  }
  f.rotary.dim = static_cast<int64_t>(static_cast<double>(f.head_dim) * fraction);
}

void find_dense_layers(FieldVisitor& v, Fields& f) {
  if (!v.gguf() || !v.reading()) return;
  for (int64_t i = 0; i < std::min<int64_t>(f.layers, 4096); ++i) {
    if (!v.has_tensor("blk." + std::to_string(i) + ".ffn_gate_inp.weight"))
      f.experts.dense_list.push_back(i);
  }
}

void visit_experts(FieldVisitor& v, Fields& f, const FallbackExperts& fallback,
                   bool gguf_normalizes) {
  const auto size = [&](int64_t& member, std::string_view config, std::string_view gguf,
                        int64_t otherwise) {
    if (otherwise > 0 && !(v.gguf() && v.reading()))
      v(member, config, gguf, otherwise);
    else
      v(member, config, gguf);
  };
  size(f.experts.experts, "num_experts|num_local_experts", "expert_count", fallback.experts);
  size(f.experts.top_k, "num_experts_per_tok", "expert_used_count", fallback.top_k);
  size(f.experts.width, "moe_intermediate_size", "expert_feed_forward_length", fallback.width);
  // What readers of GGUF do without a word; the key matters only where it is not so.
  if (v.reading() || !v.gguf() || f.experts.router.normalize != gguf_normalizes)
    v(f.experts.router.normalize, "norm_topk_prob", "expert_weights_norm", false, gguf_normalizes);
  v(f.experts.step, "decoder_sparse_step", "", 1);
  v(f.experts.dense_list, "mlp_only_layers", "", std::vector<int64_t>{});
  find_dense_layers(v, f);
}

void visit_deepseek_experts(FieldVisitor& v, Fields& f, bool v3, const FallbackExperts& fallback) {
  v.nullable(f.experts.experts, "n_routed_experts|num_local_experts|num_experts", "expert_count",
             fallback.experts, 0);
  v.nullable(f.experts.top_k, "num_experts_per_tok", "expert_used_count", fallback.top_k, 0);
  v(f.experts.width, "moe_intermediate_size", "expert_feed_forward_length", fallback.width, 0);
  const int64_t shared = fallback.shared > 0 ? fallback.shared : v3 ? 1 : 2;
  if (v.reading())
    v.nullable(f.experts.shared_count, "n_shared_experts", "expert_shared_count", shared, 0);
  else
    v(f.experts.shared_count, "n_shared_experts", "expert_shared_count");
  v(f.experts.dense_layers, "first_k_dense_replace", "leading_dense_block_count", 0);
  if (v.reading() || f.experts.every > 1) v(f.experts.every, "moe_layer_freq", "", 1);
  find_dense_layers(v, f);
  // Transformers' DeepSeek-V2 does not look at norm_topk_prob, which no published config sets.
  v(f.experts.router.normalize, v3 ? "norm_topk_prob" : "", "expert_weights_norm", v3, false);
  v(f.experts.router.scale, "routed_scaling_factor", "expert_weights_scale", fallback.scale, 1.0);
  if (f.experts.router.scale == 0 && v.gguf())
    f.experts.router.scale = 1;  // some files write 0 for "no factor"
  v.word(f.experts.scoring, "scoring_func", "expert_gating_func", {{"softmax", 1}, {"sigmoid", 2}},
         v3 ? "sigmoid" : "softmax");
  v.nullable(f.experts.router.groups, "n_group", "expert_group_count", 1);
  v.nullable(f.experts.router.keep_groups, "topk_group", "expert_group_used_count", 1);
  // Zero is how GGUF says that there are no groups; in a config it is a mistake.
  if (v.gguf() || !v.has("n_group"))
    f.experts.router.groups = std::max<int64_t>(f.experts.router.groups, 1);
  if (v.gguf() || !v.has("topk_group"))
    f.experts.router.keep_groups = std::max<int64_t>(f.experts.router.keep_groups, 1);
}

void visit_latent_attention(FieldVisitor& v, Fields& f, const LatentAttentionPart& fallback) {
  v.nullable(f.latent.query_rank, "q_lora_rank", "attention.q_lora_rank", fallback.query_rank, 0);
  v(f.latent.latent, "kv_lora_rank", "attention.kv_lora_rank", fallback.latent);
  v(f.latent.qk_rope, "qk_rope_head_dim", "rope.dimension_count", fallback.qk_rope);
  if (!v.gguf()) {
    v(f.latent.qk_nope, "qk_nope_head_dim", "", fallback.qk_nope);
    v(f.latent.value_dim, "v_head_dim", "", fallback.value_dim);
    v(f.kv_heads, "num_key_value_heads", "", f.heads);
    const bool sensible = f.heads > 0 && f.heads <= int64_t{1} << 30;  // else it is refused later
    if (sensible && f.kv_heads != f.heads) {
      fail(ErrorKind::unsupported, "{}: num_key_value_heads: expected {} (each head), found {}",
           v.where(), f.heads, f.kv_heads);
    }
  } else {
    // Written as the multi-query attention that absorbed decoding is: one key of latent and rope.
    int64_t key = f.latent.qk_nope + f.latent.qk_rope, value = f.latent.value_dim;
    int64_t kv_heads = 1, wide_key = f.latent.latent + f.latent.qk_rope,
            wide_value = f.latent.latent;
    v(key, "", "attention.key_length_mla|attention.key_length");
    v(value, "", "attention.value_length_mla|attention.value_length");
    v(kv_heads, "", "attention.head_count_kv", 1);
    v(wide_key, "", "attention.key_length", 0);
    v(wide_value, "", "attention.value_length", 0);
    f.latent.qk_nope = key - f.latent.qk_rope;
    f.latent.value_dim = value;
    f.kv_heads = f.heads;
  }
  f.rotary.dim = f.latent.qk_rope;
}

void visit_latent_rope(FieldVisitor& v, Fields& f, double theta) {
  RopeFields& r = f.rope;
  if (!v.gguf()) return visit_rope(v, r, f, theta);
  double turns = v.reading() ? 1 : rope_part(r, f, f.latent.qk_rope).attention_factor;
  r.attention_factor = 0;
  visit_rope(v, r, f, theta);
  // yarn_log_multiplier is 0.1 mscale_all_dim. Readers of this architecture undo YaRN's factor of
  // cos and sin, as if mscale were the same; a key of our own says what else it is.
  double multiplier = 0.1 * r.mscale_all_dim;
  if (v.reading() || multiplier != 0) v(multiplier, "", "rope.scaling.yarn_log_multiplier", 0.0);
  if (v.reading() || turns != 1) v(turns, "", "rope.scaling.rotation_factor", 1.0);
  if (!v.reading() || r.type != "yarn") return;
  r.mscale_all_dim = std::round(multiplier * 1e7) / 1e6;
  r.attention_factor = turns;
}

void visit_mtp(FieldVisitor& v, Fields& f, bool in_block_count) {
  if (v.gguf() && !in_block_count) return;  // GGUF files of such families leave them out
  if (v.reading() || !v.gguf() || f.mtp_layers > 0)
    v(f.mtp_layers, "num_nextn_predict_layers|num_mtp_layers", "nextn_predict_layers", 0);
  if (v.gguf() && v.reading()) f.layers -= f.mtp_layers;
  if (v.gguf() && !v.reading() && f.mtp_layers > 0) {
    int64_t all = f.layers + f.mtp_layers;
    v(all, "", "block_count");
  }
}

void visit_interleave(FieldVisitor& v, Fields& f) {
  if (!v.gguf()) v(f.rotary.interleaved, "rope_interleave", "", true);
  f.rotary.interleaved = v.gguf() || f.rotary.interleaved;
}

}  // namespace ashlar
