// Generation and perplexity on a small random model: against whole evaluations and plain loops.
#include "generate/generator.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/json.h"
#include "generate/perplexity.h"
#include "run/reference.h"
#include "support/paths.h"
#include "support/random_model.h"
#include "support/samples.h"
#include "support/small_text_model.h"

namespace ashlar {
namespace {

class Generating : public testing::SmallTextModel {
 protected:
  Engine engine(int64_t context = 64) const {
    return Engine(graph_, weights_, {.threads = 1, .context = context});
  }
  /// Greedy continuation by evaluating the whole sequence anew for every token.
  std::vector<TokenId> greedy(std::vector<TokenId> ids, int64_t count) const {
    std::vector<TokenId> made;
    for (int64_t i = 0; i < count; ++i) {
      const std::vector<float> logits = reference_logits(graph_, weights_, ids);
      const auto row = logits.end() - tokenizer_->size();
      made.push_back(static_cast<TokenId>(std::max_element(row, logits.end()) - row));
      ids.push_back(made.back());
    }
    return made;
  }

  const std::vector<TokenId> prompt_ = {5, 9, 2, 40};
};

TEST_F(Generating, TakesTheLikeliestToken) {
  Engine e = engine();
  Generator generator(e, tokenizer_.get(), {});
  const Generation g = generator.generate(prompt_, {.max_tokens = 12});
  EXPECT_EQ(g.ids, greedy(prompt_, 12));
  EXPECT_EQ(g.text, tokenizer_->decode(g.ids, true));
  EXPECT_EQ(g.stop, StopReason::max_tokens);
  EXPECT_TRUE(generator.generate(prompt_, {.max_tokens = 0}).ids.empty());
}

TEST_F(Generating, GoesOnFromWhatItHolds) {
  Engine e = engine();
  Generator generator(e, tokenizer_.get(), {});
  std::vector<TokenId> longer = prompt_;
  const Generation first = generator.generate(prompt_, {.max_tokens = 6});
  longer.insert(longer.end(), first.ids.begin(), first.ids.end());
  longer.insert(longer.end(), {3, 1});
  const Generation again = generator.generate(longer, {.max_tokens = 6});
  EXPECT_EQ(again.ids, greedy(longer, 6));
  EXPECT_EQ(again.prompt_tokens, 12);
  EXPECT_LT(again.evaluated_tokens, 5);
  // Another beginning: nothing held may leak into it.
  const std::vector<TokenId> other = {5, 9, 7};
  EXPECT_EQ(generator.generate(other, {.max_tokens = 6}).ids, greedy(other, 6));
  EXPECT_EQ(generator.generate(prompt_, {.max_tokens = 6}).ids, first.ids);
}

TEST_F(Generating, StopsAtEndTokens) {
  const std::vector<TokenId> all = greedy(prompt_, 8);
  const TokenId end = all[3];
  const auto at = std::find(all.begin(), all.end(), end) - all.begin() + 1;
  Engine e = engine();
  Generator generator(e, tokenizer_.get(), {end});
  const Generation g = generator.generate(prompt_, {.max_tokens = 8});
  EXPECT_EQ(g.ids, std::vector<TokenId>(all.begin(), all.begin() + at));
  EXPECT_EQ(g.stop, StopReason::end_token);
  EXPECT_EQ(generator.generate(prompt_, {.max_tokens = 8, .ignore_end = true}).ids, all);
}

TEST_F(Generating, StopsAtTexts) {
  Engine e = engine();
  Generator generator(e, tokenizer_.get(), {});
  const std::string whole = generator.generate(prompt_, {.max_tokens = 24}).text;
  ASSERT_GT(whole.size(), 8u);
  for (size_t begin = 0; begin + 3 <= whole.size(); ++begin) {
    const std::string stop = whole.substr(begin, 3);
    std::string streamed;
    const Generation g =
        generator.generate(prompt_, {.max_tokens = 24, .stop = {"never", stop, ""}},
                           [&](std::string_view text) { return streamed += text, true; });
    EXPECT_EQ(g.text, whole.substr(0, whole.find(stop))) << stop;
    EXPECT_EQ(streamed, g.text);
    EXPECT_EQ(g.stop, StopReason::stop_text);
  }
  // What only looks like the beginning of a stop text comes out in the end.
  EXPECT_EQ(
      generator
          .generate(prompt_, {.max_tokens = 24, .stop = {whole.substr(whole.size() - 2) + "?"}})
          .text,
      whole);
}

TEST_F(Generating, EndsWithTheContextOrWhenAsked) {
  Engine e = engine(10);
  Generator generator(e, tokenizer_.get(), {});
  const Generation full = generator.generate(prompt_, {.max_tokens = 50});
  EXPECT_EQ(full.stop, StopReason::context_full);
  EXPECT_EQ(full.ids.size(), 7u);  // the last one needs no room
  int calls = 0;
  const Generation cut = generator.generate(prompt_, {.max_tokens = 50},
                                            [&](std::string_view) { return ++calls < 3; });
  EXPECT_EQ(cut.stop, StopReason::interrupted);
  EXPECT_EQ(cut.ids.size(), 3u);
  EXPECT_THROW(generator.generate({}, {}), Error);
  EXPECT_THROW(generator.generate(std::vector<TokenId>(11, 1), {}), Error);
  EXPECT_EQ(generator.generate(prompt_, {.max_tokens = 50}).ids, full.ids);
}

TEST_F(Generating, AnInterruptEndsThePromptBetweenChunks) {
  Engine e(graph_, weights_, {.threads = 1, .context = 64, .chunk = 3});
  Generator generator(e, tokenizer_.get(), {});
  const std::vector<TokenId> prompt = {5, 9, 2, 40, 7, 7, 1, 30, 12, 4};
  int asked = 0;
  const Generation cut =
      generator.generate(prompt, {.max_tokens = 4, .interrupted = [&] { return ++asked == 3; }});
  EXPECT_EQ(cut.stop, StopReason::interrupted);
  EXPECT_EQ(cut.evaluated_tokens, 6);
  EXPECT_EQ(cut.prompt_tokens, 10);
  EXPECT_TRUE(cut.ids.empty());
  // What was evaluated is held and right.
  const Generation again = generator.generate(prompt, {.max_tokens = 4});
  EXPECT_EQ(again.evaluated_tokens, 4);
  EXPECT_EQ(again.ids, greedy(prompt, 4));
  // At once, and between tokens.
  const std::vector<TokenId> other = {1, 2, 3, 4};
  EXPECT_EQ(generator.generate(other, {.interrupted = [] { return true; }}).evaluated_tokens, 0);
  asked = 0;
  const Generation two =
      generator.generate(other, {.max_tokens = 9, .interrupted = [&] { return ++asked == 4; }});
  EXPECT_EQ(two.stop, StopReason::interrupted);
  EXPECT_EQ(two.ids, greedy(other, 2));
}

/// The definition, by plain loops: of each window's second half, with the first token replaced.
TEST_F(Generating, PerplexityIsItsDefinition) {
  std::vector<TokenId> ids;
  for (int i = 0; i < 45; ++i) ids.push_back(static_cast<TokenId>((i * i * 7 + 3) % 60));
  const auto vocab = static_cast<size_t>(tokenizer_->size());
  for (const std::optional<TokenId> bos : {std::optional<TokenId>(), std::optional<TokenId>(1)}) {
    const size_t window = 14;
    double sum = 0;
    int64_t scored = 0;
    for (size_t w = 0; w + window <= ids.size(); w += window) {
      std::vector<TokenId> input(ids.begin() + static_cast<int64_t>(w),
                                 ids.begin() + static_cast<int64_t>(w + window));
      if (bos) input[0] = *bos;
      const std::vector<float> logits = reference_logits(graph_, weights_, input);
      for (size_t t = window / 2; t + 1 < window; ++t, ++scored) {
        double total = 0;
        for (size_t v = 0; v < vocab; ++v)
          total += std::exp(static_cast<double>(logits[t * vocab + v]));
        sum += std::log(total) - logits[t * vocab + static_cast<size_t>(ids[w + t + 1])];
      }
    }
    Engine e = engine(14);
    const Perplexity p = perplexity(e, ids, 14, bos);
    EXPECT_EQ(p.windows, 3);
    EXPECT_EQ(p.tokens, scored);
    EXPECT_NEAR(std::log(p.perplexity), sum / static_cast<double>(scored), 1e-4);
  }
  Engine e = engine(64);
  EXPECT_THROW(perplexity(e, ids, 46, {}), Error);
  EXPECT_THROW(perplexity(e, ids, 3, {}), Error);
}

}  // namespace
}  // namespace ashlar
