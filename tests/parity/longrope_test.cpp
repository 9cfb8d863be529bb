// LongRoPE: the context that is asked for chooses the table, for every position and every step.
#include <gtest/gtest.h>

#include "run/reference.h"
#include "support/golden.h"

namespace ashlar {
namespace {

/// phi3_long_table: an original context of 16, and a golden sequence of 40.
class LongRope : public testing::Test {
 protected:
  void SetUp() override {
    const std::string name = "phi3_long_table";
    if (!fs::exists(golden_folder() / name)) GTEST_SKIP() << name << " is not in this folder";
    golden_ = read_golden(name);
    model_ = load_as_float32((golden_.folder / "model").string());
    few_ = std::span<const TokenId>(golden_.ids).first(12);
    long_rows_ =
        std::span<const float>(golden_.logits).first(12 * static_cast<size_t>(golden_.vocab));
  }
  std::vector<float> evaluated(std::span<const TokenId> ids, int64_t context,
                               const std::vector<size_t>& steps) const {
    Engine engine(model_.graph, model_.weights, {.context = context, .sequences = 1});
    return in_steps(engine, ids, steps);
  }
  testing::AssertionResult same(std::span<const float> a, std::span<const float> b) const {
    return near(a, b, golden_.vocab, 1e-4);
  }

  Golden golden_;
  Model model_;
  std::span<const TokenId> few_;
  std::span<const float> long_rows_;
};

TEST_F(LongRope, ContextChoosesTheTable) {
  const std::vector<float> plain = reference_logits(model_.graph, model_.weights, few_);
  EXPECT_FALSE(same(long_rows_, plain)) << "twelve tokens alone rotate by the short table";
  for (const std::vector<size_t>& steps : {std::vector<size_t>{12}, {1}, {5}}) {
    EXPECT_TRUE(same(plain, evaluated(few_, 16, steps)));
    EXPECT_TRUE(same(long_rows_, evaluated(few_, 17, steps)));
  }
}

}  // namespace
}  // namespace ashlar
