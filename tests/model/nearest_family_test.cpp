// Which architecture an error about tensors calls the nearest.
#include "support/models.h"

namespace ashlar {
namespace {

using namespace testing;
using Tensors = std::map<std::string, Tensor>;

class NearestFamily : public ::testing::TestWithParam<std::string> {};

TEST_P(NearestFamily, OneMissingTensorIsNoOtherArchitecture) {
  const TemporaryFolder folder;
  write_changed(GetParam(), folder.path(), {.tensors = [](Tensors& t) {
                  const auto last = std::find_if(t.begin(), t.end(), [](const auto& item) {
                    return item.first.ends_with("model.norm.weight") ||
                           item.first.ends_with("ln_f.weight");
                  });
                  ASSERT_NE(last, t.end());
                  t.erase(last);
                }});
  const Error e = error_of([&] { load_model(folder.path().string()); });
  expect_contains(e.what(), "its names are those of the architecture");
}

INSTANTIATE_TEST_SUITE_P(Golden, NearestFamily,
                         ::testing::Values("gpt2_tied", "llama_31_scaling", "mistral_window",
                                           "olmo2_grouped", "gemma3_six_layers", "qwen3_tied",
                                           "qwen3_moe_normalised", "smollm3_interval",
                                           "deepseek_v2_lite", "deepseek_v3_groups", "llama4_scout",
                                           "gpt_oss_yarn", "glm4_moe_mtp", "qwen2_tied",
                                           "qwen2_moe_shared", "mixtral_top_two", "gemma2_caps",
                                           "phi3_short_table", "phimoe_plain_rope_tied",
                                           "olmo3_yarn", "granite4_tied", "glm4_half_rotates"),
                         [](const auto& c) { return identifier(c.param); });

TEST(NearestFamilyOf, AConfigThatCallsQwen3Olmo2) {
  const TemporaryFolder folder;
  write_changed("qwen3_tied", folder.path(),
                {.config = [](Json& c) { c["model_type"] = "olmo2"; }});
  const Error e = error_of([&] { load_model(folder.path().string()); });
  expect_contains(e.what(), "the nearest known architecture is qwen3");
}

}  // namespace
}  // namespace ashlar
