// Attention parts: grouped-query attention with everything families do to it, and latent attention.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/enum_names.h"
#include "graph/builder.h"
#include "ops/rope.h"
#include "parts/fields.h"

namespace ashlar {

/// How positions rotate queries and keys; see ops/rope.h for what the scalings mean.
struct RopePart {
  double theta = 10000;
  int64_t dim = 0;  // rotary numbers per head; 0: all
  RotationLayout layout = RotationLayout::half;
  RotationScaling scaling = RotationScaling::none;
  double factor = 1;
  int64_t original_context = 0;
  double low_frequency_factor = 1, high_frequency_factor = 4;
  double beta_fast = 32, beta_slow = 1;
  bool truncate = true;
  double attention_factor = 1;
  /// Of the frequencies; only with scaling divisors or longrope, which has others for contexts
  /// beyond the original one.
  std::vector<double> divisors, long_divisors;
  bool ignores_long = false;  // longrope: long_divisors are kept, and never used
  bool operator==(const RopePart&) const = default;
  ASHLAR_FIELDS("theta", theta, dim, layout, scaling, factor, original_context,
                low_frequency_factor, high_frequency_factor, beta_fast, beta_slow, truncate,
                attention_factor, divisors, long_divisors, ignores_long);
};

Value write_rope(Builder& b, const RopePart& rope, Value x, std::string_view label);

enum class QkNorm : uint8_t {
  none,
  per_head,    // RMS over head_dim before RoPE, one weight for all heads (Qwen3, Gemma 3)
  projection,  // RMS over all heads at once before RoPE (OLMo 2)
  after_rope,  // weightless RMS per head after RoPE (Llama 4)
};
ASHLAR_NAMES(QkNorm, none, per_head, projection, after_rope);

/// Position-dependent factor on queries: x (1 + scale ln(1 + floor((p + 1) / length))) (Llama 4).
struct Temperature {
  double scale = 0.1;
  double length = 8192;
  int64_t offset = 1;
  bool operator==(const Temperature&) const = default;
  ASHLAR_FIELDS("scale, length", scale, length, offset);
};

/// h ─┬ q ─ norm ─ rope ┐
///    ├ k ─ norm ─ rope ┼ softmax(scale q k^T) v ─ (* sigmoid(gate)) ─ o ─►
///    └ v ──────────────┘
struct AttentionPart {
  int64_t heads = 1;
  int64_t kv_heads = 1;
  int64_t head_dim = 0;
  double scale = 0;  // 0: head_dim^-0.5
  bool qkv_bias = false, output_bias = false;
  bool output_gate =
      false;  // a sigmoid per number, projected like the query, before o (Qwen3-Next)
  QkNorm qk_norm = QkNorm::none;
  double qk_norm_eps = 1e-6;
  std::optional<RopePart> rope;  // none: NoPE
  std::optional<Temperature> temperature;
  double softcap = 0;      // of the scores; 0: none
  int64_t window = 0;      // keys a query sees, itself included; 0: all
  int64_t chunk = 0;       // aligned chunks; 0: none
  bool sinks = false;      // one learned logit per head
  int64_t log_length = 0;  // Grok's score factor beyond this position; 0: none
  bool operator==(const AttentionPart&) const = default;
  double score_scale() const;
  ASHLAR_FIELDS("heads, kv_heads, head_dim", heads, kv_heads, head_dim, scale, qkv_bias,
                output_bias, output_gate, qk_norm, qk_norm_eps, rope, temperature, softcap, window,
                chunk, sinks, log_length);
};

Value write_attention(Builder& b, const AttentionPart& part, Value h);

/// DeepSeek's multi-head latent attention.
///   h ─┬ q_a ─ norm ─ q_b ─┬ q_nope ────────┐
///      │  (or q)           └ q_rope ─ rope ─┤
///      └ kv_a ─┬ latent ─ norm ─────────────┼ softmax(scale ...) ─ o ─►
///              └ k_rope ─ rope ─────────────┘
struct LatentAttentionPart {
  int64_t heads = 1;
  int64_t query_rank = 0;  // width of the compressed query; 0: no compression
  int64_t latent = 512;    // width of the compressed key and value (kv_lora_rank)
  int64_t qk_nope = 128, qk_rope = 64, value_dim = 128;
  double scale = 0;        // 0: (qk_nope + qk_rope)^-0.5
  bool bias = false;       // of q_a, kv_a and o
  double norm_eps = 1e-6;  // of the latents' norms
  RopePart rope;
  bool operator==(const LatentAttentionPart&) const = default;
  double score_scale() const;
  ASHLAR_FIELDS("heads, latent, qk_nope, qk_rope, value_dim", heads, query_rank, latent, qk_nope,
                qk_rope, value_dim, scale, bias, norm_eps, rope);
};

Value write_latent_attention(Builder& b, const LatentAttentionPart& part, Value h);

}  // namespace ashlar
