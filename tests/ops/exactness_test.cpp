// Ops in float32: no error but the rounding of their results, and no tie that logits do not have.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "graph/builder.h"
#include "ops/all.h"
#include "ops/experts.h"
#include "support/op_inputs.h"

namespace ashlar::testing {
namespace {

template <class To, class From>
Array<To> cast(const Array<From>& a) {
  return {a.sizes, std::vector<To>(a.values.begin(), a.values.end()), a.indices};
}

/// These add to their results row by row, in float32.
const std::set<std::string_view> kAddToResults = {"linear_input_grad",
                                                  "linear_weight_grad",
                                                  "token_sum",
                                                  "expert_linear_input_grad",
                                                  "expert_linear_weight_grad",
                                                  "expert_linear_bias_grad",
                                                  "embed_grad",
                                                  "learned_position_grad",

                                                  "attention_grad"};

TEST(Exactness, OpsRoundNothingButTheirResults) {
  const TokenBatch batch = batch_of({{{0, 9}, {0, 4}}}, true);
  for (const OpEntry& entry : all_ops()) {
    if (kAddToResults.count(entry.doc->name) != 0) continue;
    for (const OpSample& s : entry.samples()) {
      if (s.op.composite()) continue;
      const auto inputs = inputs_of<float>(s.inputs, batch);
      std::vector<Array<double>> same;
      for (const Array<float>& a : inputs) same.push_back(cast<double>(a));
      const Out<float> found = run(s.op, s.inputs, inputs, batch);
      const Out<double> expected = run(s.op, s.inputs, same, batch);
      for (size_t r = 0; r < found.size(); ++r) {
        EXPECT_EQ(found[r].indices, expected[r].indices) << entry.doc->name;
        for (size_t i = 0; i < found[r].values.size(); ++i) {
          const double e = expected[r].values[i];
          // One rounding, and another of a constant or of what the op itself rounds: two ulps.
          EXPECT_NEAR(found[r].values[i], e, 0x1p-22 * std::abs(e) + 1e-30)
              << entry.doc->name << " output " << r << " at " << i;
        }
      }
    }
  }
}

// Float32 has one sigmoid for 18, 25 and 40, and one capped value: 1 and the cap.
TEST(Exactness, RoutesByLogitsWhereScoresSaturate) {
  const TokenBatch batch = TokenBatch::whole({1});
  const Array<float> logits{{1, 4}, {18, 40, 25, -3}, {}};
  for (const Route& route :
       {Route{.top_k = 2, .score = RouteScore::sigmoid}, Route{.top_k = 2, .softcap = 0.3}}) {
    const Type type{Kind::real, {tokens_axis(), {"experts", 4}}};
    const Out<float> out = run<float>(route, {type}, {logits}, batch);
    EXPECT_EQ(out[1].indices, (std::vector<int64_t>{1, 2}));
  }
}

}  // namespace
}  // namespace ashlar::testing
