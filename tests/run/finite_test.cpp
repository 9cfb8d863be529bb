// Numbers that are not finite are found, and the step that makes the first of them is named.
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "run/finite.h"
#include "support/comparison.h"
#include "support/random_model.h"
#include "support/samples.h"

namespace ashlar {
namespace {

using testing::random_weights;
using testing::some_tokens;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(),
                kInfinity = std::numeric_limits<float>::infinity();

TEST(AllFinite, LooksAtEachValue) {
  for (const float bad : {kNan, -kNan, kInfinity, -kInfinity}) {
    for (const size_t at : {size_t{0}, size_t{7}, size_t{99}}) {
      std::vector<float> values(100, -3.4e38f);
      EXPECT_TRUE(all_finite(values));
      values[at] = bad;
      EXPECT_FALSE(all_finite(values));
    }
  }
  EXPECT_TRUE(all_finite({}));
}

/// One value of a weight made infinite or no number.
void spoil(Weights& weights, const std::string& name, float bad) {
  Tensor& t = weights.at(name);
  std::byte* data = nullptr;
  Tensor copy = make_tensor(t.format, t.sizes, &data);
  std::memcpy(data, t.data, static_cast<size_t>(t.bytes()));
  std::memcpy(data, &bad, sizeof(bad));
  t = copy;
}

class NotFinite : public ::testing::TestWithParam<const char*> {};

TEST_P(NotFinite, TheStepIsNamed) {
  const Blueprint bp = testing::qwen_like();
  const Graph graph = graph_of(bp);
  const auto tokens = some_tokens(20, bp.embedding.vocab);
  const std::string parameter = GetParam();
  for (const float bad : {kNan, kInfinity}) {
    Weights weights = random_weights(graph, 3);
    spoil(weights, parameter, bad);
    for (const int64_t chunk : {int64_t{512}, int64_t{7}}) {
      Engine engine(graph, weights, {.context = 32, .chunk = chunk});
      const auto sequence = engine.open();
      const ashlar::Run run{*sequence, tokens, ashlar::Run::Logits::last};
      const auto logits = engine.step({&run, 1});
      EXPECT_FALSE(all_finite(logits));
      EXPECT_EQ(engine.first_not_finite(tokens), "") << "no sequence is free";
      engine.close(*sequence);
      const std::string step = engine.first_not_finite(tokens);
      EXPECT_EQ(step.substr(0, parameter.rfind('.')), parameter.substr(0, parameter.rfind('.')))
          << step;
      try {
        check_finite(engine, logits, tokens);
        FAIL();
      } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::invalid);
        EXPECT_NE(std::string(e.what()).find("layer 1"), std::string::npos) << e.what();
      }
      EXPECT_EQ(engine.first_not_finite(tokens), step) << "the sequence was given back";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Parameters, NotFinite,
                         ::testing::Values("layers.1.ffn.down", "layers.1.attn.q",
                                           "layers.1.ffn_norm", "layers.1.attn.o"),
                         [](const auto& c) {
                           std::string name = c.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST(NotFiniteOf, FiniteModels) {
  const Blueprint bp = testing::qwen_like();
  const Graph graph = graph_of(bp);
  const Weights weights = random_weights(graph, 3);
  Engine engine(graph, weights, {.context = 32});
  EXPECT_EQ(engine.first_not_finite(some_tokens(20, bp.embedding.vocab)), "");
}

}  // namespace
}  // namespace ashlar
