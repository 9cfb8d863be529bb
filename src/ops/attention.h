// Attention: every token looks at the earlier tokens of its own sequence, within a window or chunk.
#pragma once

#include <cmath>
#include <map>

#include "graph/op.h"

namespace ashlar {

/// q [tokens, kv_heads, group, d], k [tokens, kv_heads, d], v [tokens, kv_heads, dv], sinks
/// [kv_heads, group]
///   -> [tokens, kv_heads, group, dv].
/// Query heads that share a key head are the axis `group`: multi-head attention is group = 1,
/// multi-query is kv_heads = 1. How a runtime stores k and v is not said here.
struct Attention {
  static constexpr OpDoc doc{
      "attention", "o = softmax(scale q k^T [softcap, window, sink]) v", "q k v sinks?", "o",
      "Vaswani et al. 2017, section 3.2; grouped queries: Ainslie et al. 2023"};
  double scale = 1;
  double softcap = 0;  // 0: none; applied before the mask
  int64_t window = 0;  // keys a query sees, itself included; 0: all
  int64_t chunk = 0;   // aligned chunks (Llama 4); 0: none
  int64_t log_length =
      0;  // queries beyond this position: scores times log2(position)/log2(length) (Grok); 0: none
  ASHLAR_ATTRIBUTES(scale, softcap, window, chunk, log_length);
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
  double score_factor(int64_t position) const;  // 1 unless log_length
  /// Whether a query at `position` sees a key of its sequence at `key`.
  bool sees(int64_t position, int64_t key) const {
    return key <= position && (window <= 0 || key > position - window) &&
           (chunk <= 0 || key / chunk == position / chunk);
  }
  /// How many keys queries beyond log_length see: their scores get a factor.
  int64_t scaled_keys(const Workload& load) const;
  /// The score of a query and a key of d numbers; `factor` is the query's own. Where scores are
  /// capped, `t` (if given) becomes the tanh, which the gradient needs.
  template <class W, class F>
  W score(const F* q, const F* k, int64_t d, double factor, W* t = nullptr) const {
    using std::tanh;
    W dot = 0;
    for (int64_t i = 0; i < d; ++i) dot += W(q[i]) * W(k[i]);
    dot *= W(scale);
    if (softcap > 0) {
      const W capped = tanh(dot / W(softcap));
      if (t != nullptr) *t = capped;
      dot = W(softcap) * capped;
    }
    if (factor != 1) dot *= W(factor);
    return dot;
  }
  /// f(t, rows that it sees, score_factor of its position) for every token of the batch.
  template <class F>
  void each_query(const TokenBatch& batch, const F& f) const {
    std::map<int32_t, std::vector<int64_t>> rows_of;  // sequence -> its rows of the batch so far
    std::vector<int64_t> visible;
    for (int64_t t = 0; t < batch.size(); ++t) {
      const int64_t position = batch.positions[static_cast<size_t>(t)];
      std::vector<int64_t>& rows = rows_of[batch.sequences[static_cast<size_t>(t)]];
      rows.push_back(t);
      visible.clear();
      for (const int64_t row : rows) {
        if (sees(position, batch.positions[static_cast<size_t>(row)])) visible.push_back(row);
      }
      f(t, visible, score_factor(position));
    }
  }
};
ASHLAR_DECLARE_OP(Attention);

/// Multi-head latent attention (DeepSeek V2): keys and values are projections of one latent per
/// token.
///   q_nope [tokens, heads, n], q_rope [tokens, heads, p], latent [tokens, r], k_rope [tokens, p],
///   w_k [heads, n, r], w_v [heads, v, r] -> [tokens, heads, v].
/// Expanded it decompresses k and v; absorbed (what a runtime does when it decodes) it moves w_k to
/// the query.
struct LatentAttention {
  static constexpr OpDoc doc{
      "latent_attention", "o = softmax(scale (q_n (W_k c)^T + q_r k_r^T)) (W_v c)",
      "q_nope q_rope latent k_rope w_k w_v", "o", "DeepSeek-AI 2024, DeepSeek-V2, section 2.1"};
  double scale = 1;
  ASHLAR_ATTRIBUTES(scale);
  std::vector<Type> types(Types in) const;
  int64_t flops(Types in, const Workload& load) const;
  std::vector<Value> expand(Builder& b, Values in) const;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(LatentAttention);

}  // namespace ashlar
