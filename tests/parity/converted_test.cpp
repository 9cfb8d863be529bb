// Golden models written out by Ashlar, as safetensors and as GGUF, and read again give the
// reference's logits.
#include <gtest/gtest.h>

#include <set>

#include "base/temporary_folder.h"
#include "model/convert.h"
#include "support/golden.h"

namespace ashlar {
namespace {

class Converted : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { golden_ = read_golden(GetParam()); }

  testing::AssertionResult right(const Model& model) const {
    Engine engine(model.graph, model.weights,
                  {.context = static_cast<int64_t>(golden_.ids.size()), .sequences = 1});
    return near(golden_.logits, in_steps(engine, golden_.ids, {golden_.ids.size()}), golden_.vocab,
                1e-4);
  }

  Golden golden_;
  TemporaryFolder out_;
};

TEST_P(Converted, ToSafetensors) {
  const std::string source = (golden_.folder / "model").string();
  convert_model(load_model(source), out_.path() / "again", {.to = "safetensors", .weights = "f32"});
  const Model again = load_model((out_.path() / "again").string());
  EXPECT_TRUE(right(again));
}

/// What the keys of a published architecture cannot say in GGUF is written as arch ashlar, with a
/// notice: half-split rotation of latent attention, GPT-2's own scales of scores, another clamp of
/// gpt-oss, Gemma 2 without caps.
const std::set<std::string> kNotInGguf = {"deepseek_v3_three_dense", "gpt2_by_layer",
                                          "gpt2_inner_untied",       "gpt_oss_clamped",
                                          "gemma2_uncapped",         "glm4_moe_lite_half_split"};

TEST_P(Converted, ToGguf) {
  const std::string source = (golden_.folder / "model").string();
  const fs::path file = out_.path() / "again.gguf";
  std::string notices;
  ConvertOptions options{.weights = "f32"};
  options.notice = [&](const std::string& text) { notices += text + "\n"; };
  convert_model(load_model(source), file, options);
  EXPECT_EQ(notices.find("model_type ashlar") != std::string::npos, kNotInGguf.contains(GetParam()))
      << notices;
  EXPECT_TRUE(right(load_model(file.string())));
}

INSTANTIATE_TEST_SUITE_P(Golden, Converted,
                         testing::ValuesIn(golden_names([](const fs::path&) { return true; })),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace ashlar
