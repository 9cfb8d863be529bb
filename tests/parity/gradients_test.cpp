// Loss and gradients of golden models equal the reference's, under the checkpoint's names.
#include <gtest/gtest.h>

#include "runs/gradients.h"
#include "support/golden.h"

namespace ashlar {
namespace {

/// Of the tensor's own largest magnitude; and of the model's largest for a tensor that nearly
/// vanishes (the keys' bias: softmax does not see it).
constexpr double kBound = 1e-4, kVanishing = 2e-3;

double largest(std::span<const float> values) {
  double most = 0;
  for (const float v : values) most = std::max(most, std::abs(static_cast<double>(v)));
  return most;
}

class GoldenGradients : public testing::TestWithParam<std::string> {};

TEST_P(GoldenGradients, EqualTheReference) {
  const Golden golden = read_golden(GetParam());
  const Model model = load_model((golden.folder / "model").string());
  for (const bool recompute : {false, true}) {
    const Gradients found =
        gradients(model, golden.ids, GradientOptions{.recompute_layers = recompute});
    EXPECT_NEAR(found.loss, golden.loss, 1e-5 * golden.loss);

    std::map<std::string, std::vector<float>> expected;
    double model_largest = 0;
    for (const auto& [name, entry] : golden.expected->entries()) {
      if (!name.starts_with("grad.")) continue;
      expected[name.substr(5)] = to_f32(golden.expected->tensor(name));
      model_largest = std::max(model_largest, largest(expected[name.substr(5)]));
    }
    ASSERT_FALSE(expected.empty());
    for (const auto& [name, values] : expected) {
      const auto it = found.tensors.find(name);
      ASSERT_NE(it, found.tensors.end()) << name << " is missing";
      EXPECT_EQ(it->second.sizes, golden.expected->entries().at("grad." + name).sizes) << name;
      const std::vector<float> mine = to_f32(it->second);
      const double own = largest(values);
      if (own == 0 && name.find(".experts") != std::string::npos) {
        EXPECT_EQ(largest(mine), 0) << name << ": no token came here";
      } else if (own == 0) {  // what float32 makes 0 of: the slope of a saturated router
        EXPECT_LE(largest(mine), kBound * kVanishing * model_largest) << name;
      } else {
        const double bound = kBound * std::max(1.0, kVanishing * model_largest / own);
        EXPECT_TRUE(near(values, mine, it->second.cols(), bound)) << name;
      }
    }
    for (const auto& [name, tensor] : found.tensors) {
      if (expected.count(name) == 0) {
        EXPECT_EQ(largest(to_f32(tensor)), 0) << name << " has no gradient in the reference";
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, GoldenGradients,
                         testing::ValuesIn(golden_names([](const fs::path& folder) {
                           const auto file =
                               SafetensorsFolder::open(folder / "expected.safetensors");
                           const auto& entries = file->entries();
                           return entries.lower_bound("grad.") != entries.lower_bound("grad/");
                         })),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace ashlar
