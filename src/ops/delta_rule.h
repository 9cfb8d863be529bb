// The gated delta rule: linear attention whose state, a matrix per head, forgets and corrects
// itself.
#pragma once

#include "graph/op.h"

namespace ashlar {

/// a [tokens, heads..., n...], a_log [heads...], dt_bias [heads..., n...] -> like a: how much of a
/// state lives on, as a logarithm that is never above zero. a_log may have any number of a's
/// leading axes (n: none, or one decay per channel).
struct LogDecay {
  static constexpr OpDoc doc{"log_decay", "g = -exp(a_log) ln(1 + exp(a + dt_bias))",
                             "a a_log dt_bias", "g", "Gu and Dao 2023, Mamba, section 3.6"};
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(LogDecay);

/// q and k [tokens, key_heads, dk], v [tokens, key_heads, group, dv], decay and beta [tokens,
/// key_heads, group] -> [tokens, key_heads, group, dv]. Value heads that share a key head are the
/// axis `group`. A decay per channel of the key has dk as a further axis.
/// Per value head and sequence, from S = 0 [dk, dv], token by token:
///   S = exp(decay) S;  S += k (beta (v - S^T k))^T;  o = scale S^T q
struct GatedDeltaRule {
  static constexpr OpDoc doc{
      "gated_delta_rule", "S = e^g S, S += k (beta (v - S^T k))^T, o = scale S^T q",
      "q k v decay beta", "o", "Yang et al. 2024, Gated Delta Networks, section 3.1"};
  double scale = 1;
  ASHLAR_ATTRIBUTES(scale);
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;

  /// Sizes of one value head. The state of a sequence is a row-major [dk, dv] matrix for each.
  struct Head {
    int64_t key_dim = 0, value_dim = 0;
    int64_t decays = 1;  // 1, or one for each channel of the key
    int64_t state() const { return key_dim * value_dim; }
  };
  /// One token of one value head, up to its correction u: S decays, then S += k u^T. `error` is
  /// v - S^T k before that. u and error: value_dim numbers.
  template <class S, class F>
  static void advance(const Head& h, S* state, const F* k, const F* v, const F* decay, F beta,
                      S* error, S* u) {
    using std::exp;
    for (int64_t j = 0; j < h.value_dim; ++j) error[j] = S(v[j]);
    S kept = exp(S(decay[0]));
    for (int64_t i = 0; i < h.key_dim; ++i) {
      if (i > 0 && h.decays > 1) kept = exp(S(decay[i]));
      S* row = state + i * h.value_dim;
      const S key = S(k[i]);
      for (int64_t j = 0; j < h.value_dim; ++j) {
        row[j] *= kept;
        error[j] -= row[j] * key;
      }
    }
    for (int64_t j = 0; j < h.value_dim; ++j) u[j] = S(beta) * error[j];
    for (int64_t i = 0; i < h.key_dim; ++i) {
      S* row = state + i * h.value_dim;
      const S key = S(k[i]);
      for (int64_t j = 0; j < h.value_dim; ++j) row[j] += key * u[j];
    }
  }
  /// One token of one value head. `work`: 2 value_dim numbers.
  template <class S, class F>
  static void step(const Head& h, double scale, S* state, const F* q, const F* k, const F* v,
                   const F* decay, F beta, S* work, F* o) {
    advance(h, state, k, v, decay, beta, work, work + h.value_dim);
    for (int64_t j = 0; j < h.value_dim; ++j) work[j] = S(0);
    for (int64_t i = 0; i < h.key_dim; ++i) {
      const S query = S(q[i]);
      for (int64_t j = 0; j < h.value_dim; ++j) work[j] += state[i * h.value_dim + j] * query;
    }
    for (int64_t j = 0; j < h.value_dim; ++j) o[j] = F(S(scale) * work[j]);
  }
};
ASHLAR_DECLARE_OP(GatedDeltaRule);

}  // namespace ashlar
