// The sampler: what may be drawn, how often, and the same on every machine.
#include "run/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "base/error.h"

namespace ashlar {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

std::map<int32_t, int> draws(const SamplingOptions& options, const std::vector<float>& logits,
                             int n = 20000, const std::vector<int32_t>& history = {},
                             int64_t generated = 0) {
  Sampler sampler(options);
  std::map<int32_t, int> counts;
  for (int i = 0; i < n; ++i) ++counts[sampler.next(logits, history, generated)];
  return counts;
}

std::set<int32_t> drawn(const SamplingOptions& options, const std::vector<float>& logits) {
  std::set<int32_t> ids;
  for (const auto& [id, n] : draws(options, logits, 5000)) ids.insert(id);
  return ids;
}

TEST(Sampler, GreedyTakesTheFirstOfTheLargest) {
  Sampler sampler({});
  EXPECT_EQ(sampler.next(std::vector<float>{1, 3, 2}, {}, 0), 1);
  EXPECT_EQ(sampler.next(std::vector<float>{2, 1, 2}, {}, 0), 0);
  EXPECT_EQ(sampler.next(std::vector<float>{-kInf, -5, -kInf}, {}, 0), 1);
  EXPECT_EQ(sampler.next(std::vector<float>{NAN, -5, NAN}, {}, 0), 1);
  EXPECT_EQ(sampler.next(std::vector<float>{-kInf, -kInf}, {}, 0), 0);
  EXPECT_THROW(sampler.next(std::vector<float>{}, {}, 0), Error);
}

TEST(Sampler, DrawsByProbability) {
  const std::vector<float> logits{std::log(0.5f), std::log(0.3f), std::log(0.15f), std::log(0.05f)};
  for (const float temperature : {0.5f, 1.0f, 2.0f}) {
    constexpr int kDraws = 40000;
    const auto counts = draws({.temperature = temperature, .seed = 4}, logits, kDraws);
    double sum = 0, chi_square = 0;
    for (const float l : logits) sum += std::exp(l / temperature);
    for (size_t i = 0; i < logits.size(); ++i) {
      const double expected = kDraws * std::exp(logits[i] / temperature) / sum;
      const auto it = counts.find(static_cast<int32_t>(i));
      const double found = it == counts.end() ? 0 : it->second;
      chi_square += (found - expected) * (found - expected) / expected;
    }
    EXPECT_LT(chi_square, 16.27) << temperature;  // three degrees of freedom, p = 0.001
  }
}

TEST(Sampler, CutsKeepWhatTheySay) {
  const std::vector<float> logits{std::log(0.15f), std::log(0.5f), std::log(0.05f), std::log(0.3f)};
  EXPECT_EQ(drawn({.temperature = 1}, logits), (std::set<int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(drawn({.temperature = 1, .top_k = 2}, logits), (std::set<int32_t>{1, 3}));
  EXPECT_EQ(drawn({.temperature = 1, .top_k = 9}, logits), (std::set<int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(drawn({.temperature = 1, .top_p = 0.49f}, logits), (std::set<int32_t>{1}));
  EXPECT_EQ(drawn({.temperature = 1, .top_p = 0.6f}, logits), (std::set<int32_t>{1, 3}));
  EXPECT_EQ(drawn({.temperature = 1, .top_p = 0.81f}, logits), (std::set<int32_t>{0, 1, 3}));
  EXPECT_EQ(drawn({.temperature = 1, .min_p = 0.2f}, logits), (std::set<int32_t>{0, 1, 3}));
  EXPECT_EQ(drawn({.temperature = 1, .min_p = 0.5f}, logits), (std::set<int32_t>{1, 3}));
  EXPECT_EQ(drawn({.temperature = 1, .min_p = 1}, logits), (std::set<int32_t>{1}));
  // top_k before top_p: of 0.5 and 0.3 the first is 62 % already.
  EXPECT_EQ(drawn({.temperature = 1, .top_k = 2, .top_p = 0.6f}, logits), (std::set<int32_t>{1}));
  EXPECT_EQ(drawn({.temperature = 100, .top_k = 1}, logits), (std::set<int32_t>{1}));
  EXPECT_EQ(drawn({.temperature = 1e-6f}, logits), (std::set<int32_t>{1}));
}

TEST(Sampler, NeverDrawsTheImpossible) {
  const std::vector<float> logits{-kInf, 0, NAN, 0, -kInf};
  EXPECT_EQ(drawn({.temperature = 5}, logits), (std::set<int32_t>{1, 3}));
}

TEST(Sampler, RepetitionPenaltyDividesPositiveAndMultipliesNegative) {
  const std::vector<float> logits{2, 1.5f, -1, -1.5f};
  const std::vector<int32_t> history{0, 0, 2};
  Sampler sampler({.repetition_penalty = 2});
  EXPECT_EQ(sampler.next(logits, history, 0), 1);  // 2 -> 1, once for two occurrences
  Sampler negative({.repetition_penalty = 2, .logit_bias = {{0, -9.f}, {1, -9.f}}});
  EXPECT_EQ(negative.next(logits, history, 0), 3);  // -1 -> -2
  Sampler windowed({.repetition_penalty = 2, .penalty_window = 1});
  EXPECT_EQ(windowed.next(logits, history, 0), 0);  // sees only token 2
}

TEST(Sampler, PresenceAndFrequencyCountGeneratedTokensOnly) {
  const std::vector<float> logits{2, 1.5f, 0};
  const std::vector<int32_t> history{0, 0, 0, 1};
  Sampler presence({.presence_penalty = 1});
  EXPECT_EQ(presence.next(logits, history, 0), 0);
  EXPECT_EQ(presence.next(logits, history, 1), 0);  // 2 against 0.5
  EXPECT_EQ(presence.next(std::vector<float>{2, 2.5f, 0}, history, 1), 0);
  EXPECT_EQ(presence.next(logits, history, 2), 0);  // 1 against 0.5
  Sampler frequency({.frequency_penalty = 0.5f});
  EXPECT_EQ(frequency.next(logits, history, 2), 0);  // 1.5 against 1
  EXPECT_EQ(frequency.next(logits, history, 4), 1);  // 0.5 against 1
  const std::vector<int32_t> strange{-5, 999};
  EXPECT_EQ(frequency.next(logits, strange, 2), 0);
}

TEST(Sampler, BiasMovesLogits) {
  Sampler sampler({.logit_bias = {{2, 10.f}, {0, -kInf}}});
  EXPECT_EQ(sampler.next(std::vector<float>{5, 1, 0}, {}, 0), 2);
  EXPECT_THROW(sampler.next(std::vector<float>{5, 1}, {}, 0), Error);
}

TEST(Sampler, SameSeedSameTokens) {
  std::vector<float> logits(1000);
  for (size_t i = 0; i < logits.size(); ++i)
    logits[i] = std::sin(static_cast<float>(i)) * 4 + static_cast<float>(i % 7);
  const auto run = [&](uint64_t seed) {
    Sampler sampler({.temperature = 0.8f, .top_p = 0.95f, .seed = seed});
    std::vector<int32_t> ids;
    for (int i = 0; i < 50; ++i) ids.push_back(sampler.next(logits, ids, i));
    return ids;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST(Sampler, TheSameOnEveryMachine) {
  // Logits that every machine makes alike; tokens fixed when the sampler was written.
  std::vector<float> logits(64);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>((i * 37) % 64) / 16.0f;
  Sampler sampler({.temperature = 0.9f, .top_k = 40, .top_p = 0.9f, .min_p = 0.02f, .seed = 42});
  std::vector<int32_t> ids;
  for (int i = 0; i < 12; ++i) ids.push_back(sampler.next(logits, {}, 0));
  EXPECT_EQ(ids, (std::vector<int32_t>{29, 36, 29, 38, 15, 38, 62, 50, 12, 50, 19, 43}));
}

TEST(Sampler, RefusesOptionsThatMakeNoSense) {
  const auto refuses = [](const SamplingOptions& o) {
    try {
      Sampler sampler(o);
      return false;
    } catch (const Error& e) {
      return e.kind() == ErrorKind::invalid;
    }
  };
  EXPECT_FALSE(refuses({}));
  EXPECT_TRUE(refuses({.temperature = -1}));
  EXPECT_TRUE(refuses({.temperature = NAN}));
  EXPECT_TRUE(refuses({.top_k = -1}));
  EXPECT_TRUE(refuses({.top_p = 0}));
  EXPECT_TRUE(refuses({.top_p = 1.5f}));
  EXPECT_TRUE(refuses({.min_p = -0.1f}));
  EXPECT_TRUE(refuses({.repetition_penalty = 0}));
  EXPECT_TRUE(refuses({.presence_penalty = kInf}));
  EXPECT_TRUE(refuses({.frequency_penalty = NAN}));
  EXPECT_TRUE(refuses({.penalty_window = -1}));
  EXPECT_TRUE(refuses({.logit_bias = {{-1, 0.f}}}));
  EXPECT_TRUE(refuses({.logit_bias = {{1, NAN}}}));
}

}  // namespace
}  // namespace ashlar
