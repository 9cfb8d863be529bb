// What the score of a trained run holds beside the losses of its rows. All of it on one thread.
#pragma once

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <vector>

#include "base/json.h"
#include "graph/graph.h"
#include "plan/weights.h"
#include "train/data.h"
#include "train/executor.h"

namespace ashlar::lab {

inline Float32Options scoring_options() { return {.threads = 1, .numbers = Numbers::f32}; }

/// The first `count` rows, `at_once` together.
struct ScoredRows {
  const TokenRows& rows;
  int64_t count = 0, at_once = 1;

  /// Calls f(batch, numbers of its rows).
  template <class F>
  void each(const F& f) const {
    for (int64_t at = 0; at < count; at += at_once) {
      std::vector<int64_t> wanted(static_cast<size_t>(std::min(at_once, count - at)));
      std::iota(wanted.begin(), wanted.end(), at);
      f(batch_of_rows(rows, wanted), wanted);
    }
  }
};

/// What a trained layer for multi-token prediction knows of the rows. Of `trained`, a graph with
/// outputs "logits" and kMtpLogits (ops/loss.h), in float32:
///   predicted    tokens that are the second after another of their row
///   loss         mean cross-entropy of these, nats
///   acceptance   share of them where the layer's likeliest token is the one that the model itself
///                finds likeliest, one token later: guesses that greedy decoding would accept
Json score_ahead(const Graph& trained, const Weights& weights, const ScoredRows& rows);

/// How fast the model decodes, and what it has to remember: one sequence, token by token, with
/// float32 weights and 16 bits a number of state:
///   context             tokens it holds at the end; measured over the second half of them
///   tokens_per_second   by the fastest tenth of the steps: others were disturbed
///   state_bytes         allocated for so many tokens
Json decode_speed(const Graph& graph, const Weights& weights, int64_t context);

/// How far routers still move: experts that they chose earlier in a run against those at its end. Of
/// `model`, the forward graph of a run that keeps more than one checkpoint in `checkpoints`, in
/// float32:
///   from, to    steps of the oldest checkpoint and of the newest
///   changed     {router: share of the newest's choices that the oldest did not make for the same
///               token; 1 less what OLMoE (arXiv 2409.02060, section 5.1) calls router saturation}
/// Null where there are no routers, or no two checkpoints.
Json router_drift(const Graph& model, const std::filesystem::path& checkpoints,
                  const ScoredRows& rows);

}  // namespace ashlar::lab
