// Routing of one token: which experts are chosen.
#include "run/route.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace ashlar {
namespace {

std::vector<int32_t> chosen(const Route& op, const std::vector<float>& logits,
                            const float* bias = nullptr) {
  const auto n = static_cast<int64_t>(logits.size());
  std::vector<float> weights(static_cast<size_t>(op.top_k)),
      scratch(static_cast<size_t>(route_scratch(n)));
  std::vector<int32_t> experts(weights.size());
  route(op, logits.data(), bias, n, weights.data(), experts.data(), scratch.data());
  return experts;
}

// Float32 has one sigmoid for 18, 25 and 40, and one capped value: 1 and the cap.
TEST(Route, ChoosesByLogitsWhereScoresSaturate) {
  const std::vector<float> logits{18, 40, 25, -3};
  const std::vector<int32_t> expected{1, 2};
  EXPECT_EQ(chosen({.top_k = 2, .score = RouteScore::sigmoid}, logits), expected);
  EXPECT_EQ(chosen({.top_k = 2, .softcap = 1.5}, logits), expected);
  EXPECT_EQ(chosen({.top_k = 2, .score = RouteScore::softmax_selected}, logits), expected);
  EXPECT_EQ(chosen({.top_k = 2, .groups = 2, .keep_groups = 2, .group_score = GroupScore::max},
                   {-200, -150, 0, -160}),
            (std::vector<int32_t>{2, 1}));
}

// Sparsemixer: each of the chosen among the experts that are left and near the best of them.
TEST(Route, SparsemixerWeighsWithinTheBand) {
  const Route op{.top_k = 2, .score = RouteScore::sparsemixer, .jitter = 0.01};
  const float logits[] = {0.5f, 1, 0.995f, -2};
  float weights[2], scratch[20];
  int32_t experts[2];
  ASSERT_EQ(route_scratch(4), 20);
  route(op, logits, nullptr, 4, weights, experts, scratch);
  EXPECT_EQ(experts[0], 1);
  EXPECT_EQ(experts[1], 2);
  EXPECT_NEAR(weights[0], 1 / (1 + std::exp(-0.005)), 1e-6);  // 1 and 0.995
  EXPECT_EQ(weights[1], 1.0f);                                // 0.5 is not near 0.995
}

// A correction is added to scores: there a saturated score is what the reference compares.
TEST(Route, ChoosesByCorrectedScores) {
  const float bias[] = {0.5f, 0, 0.25f, 2};
  EXPECT_EQ(chosen({.top_k = 2, .score = RouteScore::sigmoid}, {18, 40, 25, -3}, bias),
            (std::vector<int32_t>{3, 0}));
}

}  // namespace
}  // namespace ashlar
