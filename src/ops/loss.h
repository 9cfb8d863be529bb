// The loss of training, cross-entropy of the next token or one after it, and its gradients. Tokens
// whose successor is not in the batch are not scored: of each sequence the last `ahead` ones.
#pragma once

#include "graph/op.h"

namespace ashlar {

/// logits [tokens, vocab], ids index [tokens] (the tokens themselves) -> [tokens], in nats; 0 for
/// tokens that are not scored.
struct CrossEntropy {
  static constexpr OpDoc doc{"cross_entropy", "l_t = ln sum_i exp(z_i) - z[id of the next token]",
                             "logits ids", "l", "Bengio et al. 2003, section 2"};
  int64_t ahead = 1;  // which token is predicted: 1 the next, 2 the one after it
  template <class V>
  void attributes(V& v) {
    if (ahead != 1 || v.reading) v("ahead", ahead);
  }
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(CrossEntropy);

/// logits [tokens, vocab], ids index [tokens], dl [tokens] -> dz like logits.
struct CrossEntropyGrad {
  static constexpr OpDoc doc{"cross_entropy_grad", "dz = (softmax(z) - onehot(next)) dl",
                             "logits ids dl", "dz", ""};
  CrossEntropy forward;
  ASHLAR_ATTRIBUTES(forward);
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(CrossEntropyGrad);

/// logits [tokens, n] -> [tokens]: of predictions the logarithm of what softmax divides by.
struct LogSumExp {
  static constexpr OpDoc doc{"log_sum_exp", "y_t = ln sum_i exp(z_i)", "logits", "y",
                             "Chowdhery et al. 2022, PaLM, section 5 (z-loss)"};
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(LogSumExp);

/// logits [tokens, n], dy [tokens] -> dz like logits.
struct LogSumExpGrad {
  static constexpr OpDoc doc{"log_sum_exp_grad", "dz = softmax(z) dy", "logits dy", "dz", ""};
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(LogSumExpGrad);

/// x [tokens] -> [], one number: the mean over the N tokens of the batch that are scored, or over
/// all of them.
struct ScoredMean {
  static constexpr OpDoc doc{"scored_mean", "y = sum_t x_t / N", "x", "y", ""};
  bool all = false;
  int64_t ahead = 1;  // as the cross-entropy's
  template <class V>
  void attributes(V& v) {
    if (all || v.reading) v("all", all);
    if (ahead != 1 || v.reading) v("ahead", ahead);
  }
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(ScoredMean);

/// dy [] -> dx [tokens]: dy / N for tokens that are scored, 0 for others.
struct ScoredMeanGrad {
  static constexpr OpDoc doc{"scored_mean_grad", "dx_t = dy / N", "dy", "dx", ""};
  ScoredMean forward;
  ASHLAR_ATTRIBUTES(forward);
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(ScoredMeanGrad);

/// The output of a forward graph that holds logits [tokens, vocab] for the token after the next:
/// multi-token prediction, DeepSeek-V3, section 2.2.
inline constexpr std::string_view kMtpLogits = "mtp_logits";

/// Per token of the batch the row of the next one in its sequence, or of the one `ahead` of it; -1
/// where there is none.
std::vector<int64_t> next_rows(const TokenBatch& batch, int64_t ahead = 1);

}  // namespace ashlar
