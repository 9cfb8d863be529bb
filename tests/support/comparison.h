// Helpers of the engine's tests: prompts, logits of a step, differences.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "kernels/table.h"
#include "run/engine.h"

namespace ashlar::testing {

inline std::vector<TokenId> some_tokens(int64_t n, int64_t vocab, uint64_t seed = 7) {
  std::mt19937_64 random(seed);
  std::vector<TokenId> ids;
  for (int64_t i = 0; i < n; ++i)
    ids.push_back(static_cast<TokenId>(random() % static_cast<uint64_t>(vocab)));
  return ids;
}

inline std::vector<float> all_logits(Engine& engine, SequenceId sequence,
                                     std::span<const TokenId> ids) {
  const Run run{sequence, ids, Run::Logits::all};
  const auto logits = engine.step({&run, 1});
  return {logits.begin(), logits.end()};
}

/// Largest difference as a share of the largest magnitude of b; infinite where one is not a number.
inline double difference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = 0, largest = 1e-30;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (std::isnan(a[i]) || std::isnan(b[i])) return INFINITY;
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]));
    largest = std::max(largest, std::abs(static_cast<double>(b[i])));
  }
  return worst / largest;
}

inline std::vector<std::string> runnable_tables() {
  std::vector<std::string> names;
  for (const kernels::Table* t : kernels::tables())
    if (t->supported()) names.emplace_back(t->name);
  return names;
}

}  // namespace ashlar::testing
