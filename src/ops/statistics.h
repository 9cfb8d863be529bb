// What telemetry reads off a step: numbers about values, which nothing is computed from.
#pragma once

#include "graph/op.h"
#include "ops/attention.h"

namespace ashlar {

/// x [tokens, ...] -> []: over all tokens and all their numbers.
struct MeanSquare {
  static constexpr OpDoc doc{"mean_square", "y = mean x^2", "x", "y", ""};
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(MeanSquare);

/// Of an attention's scores, which it computes for nobody else to see: q [tokens, kv_heads, group,
/// d], k [tokens, kv_heads, d], sinks [kv_heads, group] -> largest and entropy [kv_heads, group]:
/// the largest score of a visible key, and the mean over queries of the entropy of their weights in
/// nats (the sink's among them).
struct ScoreStatistics {
  static constexpr OpDoc doc{
      "score_statistics", "m = max s, h = mean_t -sum_j p[t, j] ln p[t, j], p = softmax(s)",
      "q k sinks?", "largest entropy", "Dehghani et al. 2023; Wortsman et al. 2023, section 3.1"};
  Attention attention;
  ASHLAR_ATTRIBUTES(attention);
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(ScoreStatistics);

}  // namespace ashlar
