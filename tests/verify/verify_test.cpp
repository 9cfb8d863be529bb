// The self-test of models: it passes sound ones and finds what is wrong with others.
#include "verify/verify.h"
#include "support/paths.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "support/models.h"

namespace ashlar {
namespace {

Model golden(const std::string& name) {
  return load_model(
      (std::filesystem::path(source_dir()) / "tests/golden/models" / name / "model").string());
}

/// Names of the checks that failed.
std::vector<std::string> failures(const Model& model) {
  std::vector<std::string> names;
  for (const Check& c : verify(model, {.threads = 1})) {
    EXPECT_NE(c.outcome, Check::Outcome::left_out) << c.name;
    if (c.outcome == Check::Outcome::failed) names.push_back(c.name);
  }
  return names;
}

TEST(Verify, SoundModelsPass) {
  for (const char* name : {"llama_31_scaling", "gemma3_six_layers", "deepseek_v2_lite", "gpt2_tied",
                           "qwen3_moe_normalised", "storage_bf16_llama", "storage_int4_kimi_k2",
                           "storage_fp8_deepseek_v3"}) {
    EXPECT_EQ(failures(golden(name)), std::vector<std::string>()) << name;
  }
}

// GGUF keeps float32: this theta, Grok 2's, comes back as another number.
TEST(Verify, RoundedNumbersAreTheSame) {
  const TemporaryFolder folder;
  testing::write_changed("mistral_window", folder.path(),
                         {.config = [](Json& c) { c["rope_theta"] = 208533496; }});
  EXPECT_EQ(failures(load_model(folder.path().string())), std::vector<std::string>());
}

TEST(Verify, FindsParametersThatAreNotCounted) {
  Model model = golden("llama_31_scaling");
  std::byte* data = nullptr;
  model.weights["stranger"] = make_tensor(Format::f32, {3}, &data);
  EXPECT_EQ(failures(model).at(0), "parameters counted = in the file");
}

TEST(Verify, AnExcerptHasEachKindOfBlockOnce) {
  const Model model = golden("gemma3_six_layers");
  const Model part = excerpt(model, 4);
  ASSERT_EQ(part.blueprint.blocks.size(), 2u);  // one that sees a window, one that sees all
  EXPECT_NE(part.blueprint.blocks[0], part.blueprint.blocks[1]);
  EXPECT_EQ(excerpt(model, 1).blueprint.blocks.size(), 1u);
  const auto at = std::find(model.blueprint.blocks.begin(), model.blueprint.blocks.end(),
                            part.blueprint.blocks[1]) -
                  model.blueprint.blocks.begin();
  EXPECT_EQ(part.weights.at("layers.1.attn.q").data,
            model.weights.at("layers." + std::to_string(at) + ".attn.q").data);
}

}  // namespace
}  // namespace ashlar
