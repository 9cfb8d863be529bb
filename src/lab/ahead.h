// What a trained layer for multi-token prediction knows of the held-out set.
#pragma once

#include "base/json.h"
#include "data/folder.h"
#include "graph/graph.h"
#include "plan/weights.h"

namespace ashlar::lab {

/// Of `trained`, a graph with outputs "logits" and kMtpLogits (ops/loss.h), over the first `count`
/// rows, `at_once` together, on one thread in float32:
///   predicted    tokens that are the second after another of their row
///   loss         mean cross-entropy of these, nats
///   acceptance   share of them where the layer's likeliest token is the one that the model itself
///                finds likeliest, one token later: guesses that greedy decoding would accept
Json score_ahead(const Graph& trained, const Weights& weights, const TokenRows& rows, int64_t count,
                 int64_t at_once);

}  // namespace ashlar::lab
