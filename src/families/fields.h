// What checkpoints of decoders say about themselves, grouped as their keys are: the meeting point
// of config.json, GGUF metadata and blueprints. A member that a family does not use keeps its
// default.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "parts/attention.h"
#include "parts/ffn.h"
#include "parts/gated_delta_net.h"

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
  bool ignores_long = false;
};

inline constexpr const char* kLinearAttention = "linear_attention";  // of layer_types

/// Which part of a head rotates, in which layers.
struct RotaryFields {
  int64_t dim = 0;           // rotary numbers of a head; 0: all
  bool interleaved = false;  // pairs (2j, 2j + 1) in the weights as published
  /// Per layer: 1 rotates, 0 does not. Empty: by the interval.
  std::vector<int64_t> layers;
  int64_t interval = 0;  // every n-th layer does not rotate; 0: all do
};

/// What layers see of the past.
struct WindowFields {
  int64_t size = 0, chunk = 0;  // tokens; 0: everything
  /// Every n-th layer sees everything. 0: none does where there is a window.
  int64_t pattern = 0;
  int64_t full_layers = 0;    // the first n layers see everything (max_window_layers)
  bool without_rope = false;  // the layers that slide are those that do not rotate
  bool with_rope = false;     // only the layers that slide rotate
};

/// Scores and outputs of attention.
struct AttentionFields {
  double query_scalar = 0;      // scores are scaled by this^-0.5; 0: head_dim
  bool scale_by_layer = false;  // ... and layer i by 1 / (i + 1)
  double softcap = 0;
  int64_t log_length = 0;  // Grok
  bool tempered = false;   // Llama 4
  double temperature_scale = 0.1, temperature_length = 8192;
  bool output_gate = false;
};

/// Latent attention, where `latent` is not 0.
struct LatentFields : LatentAttentionPart {
  LatentFields() : LatentAttentionPart{.latent = 0, .qk_nope = 0, .qk_rope = 0, .value_dim = 0} {}
};

/// The gated delta net, in the layers that layer_types calls linear_attention.
struct DeltaFields : GatedDeltaNetPart {
  int64_t full_interval = 0;  // without layer_types: every n-th layer attends; 0: all do
  DeltaFields()
      : GatedDeltaNetPart{
            .key_heads = 0, .value_heads = 0, .key_dim = 0, .value_dim = 0, .conv_width = 0} {}
};

/// Mixture of experts: its sizes (`shared` 0: each shared expert is as wide as the others), which
/// layers have it, and how experts are chosen.
struct ExpertFields : ExpertFfnPart {
  int64_t shared_count = 0;
  int64_t dense_layers = 0;     // the first n layers have no experts
  int64_t step = 1, every = 1;  // of the others, those with (i + 1) % step == 0 and i % every == 0
  std::vector<int64_t> dense_list;  // layers without experts, beside the rule
  std::vector<int64_t> layers;      // layers with experts; empty: by the rule; {-1}: none
  std::string scoring = "softmax";  // sigmoid, softmax_selected, sparsemixer
  std::string choice;               // topk_method
  ExpertFields() : ExpertFfnPart{.experts = 0, .top_k = 0} {}
};

struct Fields {
  int64_t layers = 0, d_model = 0, vocab = 0, context = 0;
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
  int64_t ffn = 0;
  int64_t mtp_layers = 0;
  double eps = 1e-6;
  bool tied = false;
  bool head_bias = false;
  bool qkv_bias = false, output_bias = false, ffn_bias = false;
  bool qk_norm = false;
  std::string activation = "silu";  // of the feed-forward: silu, gelu_pytorch_tanh, gelu, relu
  int64_t positions = 0;            // learned
  double embedding_scale = 1, residual_scale = 1, logit_scale = 1, logit_softcap = 0;
  /// full_attention, sliding_attention, chunked_attention, linear_attention; empty: by the
  /// patterns.
  std::vector<std::string> layer_types;

  RopeFields rope, local_rope;  // of all layers; of sliding ones where they have their own
  RotaryFields rotary;
  WindowFields window;
  AttentionFields attention;
  LatentFields latent;
  DeltaFields delta;
  ExpertFields experts;

  bool linear(int64_t layer) const;
  bool sliding(int64_t layer) const;
  bool chunked(int64_t layer) const;
  bool rotates(int64_t layer) const;
  bool has_experts(int64_t layer) const;
};

}  // namespace ashlar
