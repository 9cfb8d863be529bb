// Made-up weights: shapes, scale, determinism, formats.
#include <cmath>

#include "support/models.h"

namespace ashlar {
namespace {

using namespace testing;

struct Moments {
  double mean = 0, deviation = 0;
};

Moments moments(const Tensor& tensor) {
  const std::vector<float> x = to_f32(tensor);
  double sum = 0, squares = 0;
  for (const float v : x) {
    sum += v;
    squares += static_cast<double>(v) * v;
  }
  const auto n = static_cast<double>(x.size());
  return {sum / n, std::sqrt(squares / n - sum / n * (sum / n))};
}

TEST(RandomWeights, AreTheSameForTheSameSeed) {
  const Model a = load_model("smollm2-135m", {.random = 5, .weights = "bf16"});
  const Model b = load_model("smollm2-135m", {.random = 5, .weights = "bf16"});
  const Model c = load_model("smollm2-135m", {.random = 6, .weights = "bf16"});
  EXPECT_EQ(differing(a, b), std::vector<std::string>());
  EXPECT_EQ(differing(a, c).size(), a.weights.size());
  // Another depth leaves a parameter's numbers alone.
  EXPECT_NE(to_f32(a.weights.at("layers.0.attn.q")), to_f32(a.weights.at("layers.1.attn.q")));
}

TEST(RandomWeights, HaveTheScaleOfTrainedOnes) {
  const Model m = load_model("smollm2-135m", {.random = 1});
  const Moments up = moments(m.weights.at("layers.3.ffn.up"));
  EXPECT_NEAR(up.mean, 0, 1e-3);
  EXPECT_NEAR(up.deviation, 1 / std::sqrt(576.0), 1e-3);
  const Moments norm = moments(m.weights.at("layers.3.attn_norm"));
  EXPECT_NEAR(norm.mean, 1, 0.02);
  EXPECT_NEAR(norm.deviation, 0.1, 0.02);
  EXPECT_NEAR(moments(m.weights.at("embedding")).deviation, 0.02, 1e-3);
  EXPECT_EQ(m.weights.at("embedding").format, Format::f32);
}

TEST(RandomWeights, ComeInEveryFormat) {
  const TemporaryFolder folder;
  const std::string small = (folder.path() / "small.json").string();
  Blueprint bp = load_blueprint("gemma-3-270m");
  bp.blocks.resize(1);
  bp.embedding.vocab = 10000;
  write_file(small, to_json(bp));
  const Model exact = load_model(small, {.random = 1});
  for (const char* name : {"bf16", "f16", "q8_0", "q4_0", "q4_k_m", "q5_k_m", "q6_k"}) {
    SCOPED_TRACE(name);
    const Model m = load_model(small, {.random = 1, .weights = name});
    const Tensor& t = m.weights.at("layers.0.attn.k");  // [256, 640]: too few to be drawn
    const std::vector<float> x = to_f32(t), y = to_f32(exact.weights.at("layers.0.attn.k"));
    double error = 0, size = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      error += std::pow(x[i] - y[i], 2);
      size += std::pow(y[i], 2);
    }
    EXPECT_LT(std::sqrt(error / size), 0.12);
    const Moments table = moments(m.weights.at("embedding"));
    EXPECT_NEAR(table.deviation, 0.02, 2e-3);
    if (std::string(name) == "q4_k_m") {
      EXPECT_EQ(m.weights.at("embedding").format, Format::q8_0);
    }
  }
  EXPECT_EQ(error_of([] { load_model("gpt2", {.random = 1, .weights = "q7"}); }).kind(),
            ErrorKind::invalid);
}

}  // namespace
}  // namespace ashlar
