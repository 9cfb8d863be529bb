// The forward pass with what is worth watching as its outputs.
#pragma once

#include <cstdint>
#include <string_view>

#include "graph/graph.h"

namespace ashlar {

/// Prefixes of the outputs of watched(): before the scope (and label) of what they are about.
inline constexpr std::string_view kWatchedResidual = "residual.", kWatchedBranch = "branch.",
                                  kWatchedGradient = "gradient.",
                                  kWatchedLargest = "largest_score.",
                                  kWatchedEntropy = "score_entropy.", kWatchedLoad = "load.";

/// Outputs: per residual addition the mean square of the stream after it
/// ("residual.layers.0.attn_residual") and of the branch that is added ("branch...."); per
/// attention and head the largest score and the mean entropy of the weights
/// ("largest_score.layers.0.attn", [kv_heads, group]); per router the loads of experts
/// ("load.layers.0.ffn"); and "log_z", the mean of ln sum exp of the logits. Latent attention
/// counts in its expanded form.
enum class Watched : uint8_t { all, scores };  // scores: the largest scores alone
Graph watched(const Graph& forward, Watched what = Watched::all);

/// Of a step of training: per residual addition the mean square of the loss's gradient by the
/// stream after it ("gradient.layers.0.attn_residual"), which the derivative of an addition makes
/// that of the branch too.
Graph watched_gradients(const Graph& forward);

}  // namespace ashlar
