// Windows of a text through the engine, scored by log-softmax.
#include "generate/perplexity.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "run/finite.h"

namespace ashlar {
namespace {

/// -log softmax(logits)[id]
double negative_log_likelihood(std::span<const float> logits, TokenId id) {
  const float top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float v : logits) sum += std::exp(static_cast<double>(v) - top);
  return std::log(sum) - (static_cast<double>(logits[static_cast<size_t>(id)]) - top);
}

}  // namespace

Perplexity perplexity(Engine& engine, std::span<const TokenId> ids, int64_t window,
                      std::optional<TokenId> bos,
                      const std::function<void(int64_t, int64_t)>& progress) {
  if (window < 4)
    fail(ErrorKind::invalid, "`window`: expected at least 4 tokens, found {}", window);
  const int64_t windows = static_cast<int64_t>(ids.size()) / window, first = window / 2;
  if (windows == 0) {
    fail(ErrorKind::invalid,
         "the text has {} tokens, a window needs {}: give a longer text or a smaller `window`",
         ids.size(), window);
  }
  const auto vocab = static_cast<size_t>(engine.vocab());
  double sum = 0, squares = 0;
  Perplexity result{.windows = windows};
  for (int64_t w = 0; w < windows; ++w) {
    if (progress) progress(w, windows);
    const auto here = ids.subspan(static_cast<size_t>(w * window), static_cast<size_t>(window));
    std::vector<TokenId> input(here.begin(), here.end());
    if (bos) input[0] = *bos;
    const auto sequence = engine.open();
    if (!sequence) fail(ErrorKind::resource, "the engine has no free sequence");
    const std::span<const TokenId> tokens(input);
    const Run unscored{*sequence, tokens.subspan(0, static_cast<size_t>(first)), Run::Logits::none};
    engine.step({&unscored, 1});
    // In pieces, so that the logits of a large vocabulary stay small.
    constexpr int64_t kPiece = 128;
    for (int64_t at = first; at < window - 1; at += kPiece) {
      const int64_t n = std::min(kPiece, window - 1 - at);
      const Run scored{*sequence, tokens.subspan(static_cast<size_t>(at), static_cast<size_t>(n)),
                       Run::Logits::all};
      const auto logits = engine.step({&scored, 1});
      if (!all_finite(logits)) {
        engine.close(*sequence);
        fail_not_finite(engine, tokens.first(static_cast<size_t>(at + n)));
      }
      for (int64_t i = 0; i < n; ++i) {
        const double loss =
            negative_log_likelihood(logits.subspan(static_cast<size_t>(i) * vocab, vocab),
                                    here[static_cast<size_t>(at + i + 1)]);
        sum += loss;
        squares += loss * loss;
        ++result.tokens;
      }
    }
    engine.close(*sequence);
  }
  if (progress) progress(windows, windows);
  const auto n = static_cast<double>(result.tokens);
  const double mean = sum / n, variance = std::max(0.0, squares / n - mean * mean);
  result.perplexity = std::exp(mean);
  result.standard_error = n > 1 ? result.perplexity * std::sqrt(variance / (n - 1)) : 0;
  return result;
}

}  // namespace ashlar
