// The sampler: what may be drawn, how often, and the same on every machine.
#include "run/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <set>

#include "base/error.h"
#include "support/thorough.h"

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

/// What the options leave of a vocabulary, by definition: probabilities in double precision,
/// sorted.
std::map<int32_t, double> expected(const SamplingOptions& o, const std::vector<float>& logits) {
  std::vector<int32_t> order;
  for (size_t i = 0; i < logits.size(); ++i)
    if (!std::isnan(logits[i])) order.push_back(static_cast<int32_t>(i));
  const auto logit = [&](int32_t id) { return logits[static_cast<size_t>(id)]; };
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return logit(a) > logit(b); });
  if (o.top_k > 0 && static_cast<size_t>(o.top_k) < order.size())
    order.resize(static_cast<size_t>(o.top_k));
  const auto weight = [&](int32_t id) {
    return std::exp((static_cast<double>(logit(id)) - logit(order[0])) / o.temperature);
  };
  double total = 0, mass = 0;
  for (const int32_t id : order) total += weight(id);
  std::map<int32_t, double> kept;
  for (const int32_t id : order) {
    if (!kept.empty() && (mass >= o.top_p * total * (o.top_p < 1 ? 1 : 2) || weight(id) < o.min_p))
      break;
    if (weight(id) < 0x1p-41) break;
    mass += weight(id);
    kept[id] = weight(id);
  }
  double sum = 0;
  for (const auto& [id, w] : kept) sum += w;
  for (auto& [id, w] : kept) w /= sum;
  return kept;
}

/// Draws only what is expected, all of that which must turn up, and as often as it should.
void expect_distribution(const SamplingOptions& o, const std::vector<float>& logits, int n,
                         const std::string& what) {
  const std::map<int32_t, double> probabilities = expected(o, logits);
  const std::map<int32_t, int> counts = draws(o, logits, n);
  for (const auto& [id, count] : counts)
    ASSERT_TRUE(probabilities.contains(id)) << what << ": " << id << " should have been cut";
  // Rare ones are thrown together, so that every class is expected at least 20 times.
  double chi_square = 0, rare = 0, left = 0;
  int classes = -1, rare_count = 0;
  const auto add = [&](double wanted, int found) {
    chi_square += (found - wanted) * (found - wanted) / wanted;
    ++classes;
  };
  for (const auto& [id, p] : probabilities) {
    const auto it = counts.find(id);
    const int found = it == counts.end() ? 0 : it->second;
    if (p * n >= 20) {
      EXPECT_GT(found, 0) << what << ": " << id << " should have been kept";
      add(p * n, found);
      continue;
    }
    rare += p * n;
    rare_count += found;
    if (rare < 20) continue;
    add(rare, rare_count);
    rare = rare_count = 0;
  }
  left = rare;
  if (left >= 5) add(left, rare_count);
  if (classes < 1) return;
  // Five deviations of a chi square with so many degrees of freedom, and some for few.
  EXPECT_LT(chi_square, classes + 5 * std::sqrt(2.0 * classes) + 12) << what << ", " << classes;
}

TEST(Sampler, EqualsItsDefinitionInDoublePrecision) {
  std::mt19937_64 random(17);
  std::normal_distribution<float> normal;
  const int many = test::thorough() ? 20000 : 5000;  // 80 s, 10 s
  for (const size_t vocab : {7, 64, 65, 1000, 5000}) {
    for (const float spread : {0.3f, 2.0f, 6.0f}) {
      for (const bool ties : {false, true}) {
        std::vector<float> logits(vocab);
        for (float& x : logits) {
          x = spread * normal(random);
          if (ties) x = std::floor(x * 2) / 2;
          if (random() % 50 == 0) x = -kInf;
          if (random() % 50 == 0) x = NAN;
        }
        const SamplingOptions cases[] = {
            {.temperature = 1},
            {.temperature = 0.7f, .top_k = 3},
            {.temperature = 1, .top_k = static_cast<int>(vocab / 2)},
            {.temperature = 1, .top_k = static_cast<int>(vocab - 1)},
            {.temperature = 1.3f, .top_p = 0.3f},
            {.temperature = 1, .top_p = 0.9f},
            {.temperature = 1, .top_p = 0.999f},
            {.temperature = 2, .min_p = 0.05f},
            {.temperature = 1, .top_p = 0.95f, .min_p = 0.1f},
            {.temperature = 1, .top_p = 0.5f, .min_p = 1e-3f},
            {.temperature = 0.9f, .top_k = 40, .top_p = 0.8f, .min_p = 0.01f},
            {.temperature = 0.9f, .top_k = static_cast<int>(vocab / 3 + 1), .top_p = 0.8f}};
        for (size_t i = 0; i < std::size(cases); ++i) {
          SamplingOptions o = cases[i];
          o.seed = random();
          expect_distribution(o, logits, vocab > 1000 ? many : 4000,
                              std::to_string(vocab) + " words, spread " + std::to_string(spread) +
                                  (ties ? ", ties, case " : ", case ") + std::to_string(i));
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST(Sampler, OfEqualsTheFirstAreKept) {
  // 3000 words, all alike: cuts fall within them, whatever way they are found.
  const std::vector<float> logits(3000, 1.5f);
  const auto largest = [&](const SamplingOptions& o) {
    const auto counts = draws(o, logits, 30000);
    return std::pair(counts.size(), counts.rbegin()->first);
  };
  EXPECT_EQ(largest({.temperature = 1, .top_k = 1200}), std::pair(size_t{1200}, 1199));
  EXPECT_EQ(largest({.temperature = 1, .top_k = 12}), std::pair(size_t{12}, 11));
  EXPECT_EQ(largest({.temperature = 1, .top_p = 0.25f}), std::pair(size_t{750}, 749));
  EXPECT_EQ(largest({.temperature = 1, .top_k = 1200, .top_p = 0.25f}),
            std::pair(size_t{300}, 299));
  EXPECT_EQ(largest({.temperature = 1, .top_p = 0.25f, .min_p = 1}), std::pair(size_t{750}, 749));
}

TEST(Sampler, ExtremeTemperaturesAndLogits) {
  const float huge = std::numeric_limits<float>::max();
  EXPECT_EQ(drawn({.temperature = 1e-45f}, {1, 2, 2, 1}), (std::set<int32_t>{1, 2}));
  EXPECT_EQ(drawn({.temperature = 1e30f}, {1, 2, -5, 1}), (std::set<int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(drawn({.temperature = 1}, {huge, -huge, huge}), (std::set<int32_t>{0, 2}));
  EXPECT_EQ(drawn({.temperature = 1, .top_k = 1, .top_p = 0.5f}, {-huge, huge}),
            (std::set<int32_t>{1}));
  EXPECT_EQ(drawn({.temperature = 1}, {1, kInf, kInf}), (std::set<int32_t>{1}));
  EXPECT_EQ(drawn({.temperature = 1, .top_k = 2}, {NAN, NAN, 3, NAN}), (std::set<int32_t>{2}));
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
