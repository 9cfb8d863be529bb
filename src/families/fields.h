// What checkpoints of decoders say about themselves, in one flat struct: the meeting point of
// config.json, GGUF metadata and blueprints. A member that a family does not use keeps its default.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "parts/attention.h"

namespace ashlar {

/// Rotary embedding as configs write it.
struct RopeFields {
  double theta = 0;              // 0: nothing said
  std::string type = "default";  // linear, llama3, yarn, longrope; in GGUF also divisors
  double factor = 0;             // 0: not given
  int64_t original = 0;          // original_max_position_embeddings
  double low = 1, high = 4;      // llama3
  double beta_fast = 32, beta_slow = 1;
  double mscale = 0, mscale_all_dim = 0;  // 0: not given
  bool truncate = true;
  double attention_factor = 0;  // 0: follows from the others
  /// Of the frequencies: GGUF's rope_freqs.weight, or LongRoPE's tables (short_factor,
  /// long_factor).
  std::vector<double> divisors, long_divisors;
};

inline constexpr const char* kLinearAttention = "linear_attention";  // of layer_types

struct Fields {
  int64_t layers = 0, d_model = 0, vocab = 0, context = 0;
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
  int64_t ffn = 0;
  double eps = 1e-6;
  bool tied = false;
  bool head_bias = false;
  bool qkv_bias = false, output_bias = false, ffn_bias = false;
  bool qk_norm = false;
  std::string activation = "silu";  // of the feed-forward: silu, gelu_pytorch_tanh, relu
  int64_t positions = 0;            // learned
  double embedding_scale = 1, residual_scale = 1, logit_scale = 1, logit_softcap = 0;

  // Positions
  RopeFields rope, local_rope;       // of all layers; of sliding ones where they have their own
  int64_t rope_dim = 0;              // rotary numbers of a head; 0: all
  bool rope_interleaved = false;     // pairs (2j, 2j + 1) in the weights as published
  std::vector<int64_t> rope_layers;  // per layer: 1 rotates, 0 does not; empty: by the interval
  int64_t rope_interval = 0;         // every n-th layer does not rotate; 0: all do
  std::vector<std::string>
      layer_types;  // full_attention, sliding_attention, chunked_attention; empty: by the pattern
  int64_t window = 0, chunk = 0;
  int64_t window_pattern =
      0;  // every n-th layer sees everything; 0: none does where there is a window
  int64_t full_layers = 0;           // the first n layers see everything (max_window_layers)
  bool window_without_rope = false;  // the layers that slide are those that do not rotate
  bool rope_with_window = false;     // only the layers that slide rotate

  // Attention
  double query_scalar = 0;      // scores are scaled by this^-0.5; 0: head_dim
  bool scale_by_layer = false;  // ... and layer i by 1 / (i + 1)
  double attention_softcap = 0;
  int64_t log_length = 0;    // Grok
  bool temperature = false;  // Llama 4
  double temperature_scale = 0.1, temperature_length = 8192;
  bool output_gate = false;
  int64_t query_rank = 0, latent = 0, qk_nope = 0, qk_rope = 0, value_dim = 0;

  // Linear attention: layer_types calls its layers linear_attention
  int64_t full_interval = 0;  // without layer_types: every n-th layer attends; 0: all do
  int64_t linear_key_heads = 0, linear_value_heads = 0;
  int64_t linear_key_dim = 0, linear_value_dim = 0, conv_width = 0;

  // Experts
  int64_t experts = 0, top_k = 0, expert_ffn = 0, shared_experts = 0;
  bool shared_bias = false;          // of the shared expert's projections
  int64_t shared_ffn = 0;            // of all shared experts together; 0: as wide as others each
  int64_t dense_layers = 0;          // the first n layers have no experts
  int64_t expert_step = 1;           // of the others, those with (i + 1) % step == 0 do,
  int64_t expert_every = 1;          // and i % every == 0
  std::vector<int64_t> dense_list;   // layers without experts, beside the rule
  std::vector<int64_t> expert_list;  // layers with experts; empty: by the rule; {-1}: none
  bool normalize = false;
  double route_scale = 1, router_softcap = 0;
  std::string scoring = "softmax";  // sigmoid
  std::string choice;               // topk_method
  bool correction = false;          // a bias that only the choice sees
  int64_t groups = 1, keep_groups = 1;
  double swiglu_alpha = 1.702, swiglu_limit = 7;
  int64_t mtp_layers = 0;

  bool linear(int64_t layer) const;
  bool sliding(int64_t layer) const;
  bool chunked(int64_t layer) const;
  bool rotates(int64_t layer) const;
  bool has_experts(int64_t layer) const;
};

}  // namespace ashlar
