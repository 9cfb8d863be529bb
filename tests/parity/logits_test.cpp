// Every golden model gives the reference's logits: whole, stepwise, in chunks, among other
// sequences, with every kernel table, as stored, and from GGUF.
#include <gtest/gtest.h>

#include "kernels/table.h"
#include "support/golden.h"
#include "support/with_tiles.h"

namespace ashlar {
namespace {

constexpr double kBound = 1e-4;

class Logits : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    golden_ = read_golden(GetParam());
    model_ = load_as_float32((golden_.folder / "model").string());
  }

  Engine engine(const std::string& kernels = "", int64_t chunk = 512) const {
    return {model_.graph, model_.weights,
            EngineOptions{.kernels = kernels,
                          .context = static_cast<int64_t>(golden_.ids.size()),
                          .sequences = 3,
                          .chunk = chunk}};
  }

  std::vector<float> evaluate(Engine& engine, const std::vector<size_t>& lengths) const {
    return in_steps(engine, golden_.ids, lengths);
  }

  testing::AssertionResult right(const std::vector<float>& found) const {
    return near(golden_.logits, found, golden_.vocab, kBound);
  }

  Golden golden_;
  Model model_;
};

TEST_P(Logits, Whole) {
  Engine e = engine();
  EXPECT_TRUE(right(evaluate(e, {golden_.ids.size()})));
}

TEST_P(Logits, Stepwise) {
  Engine e = engine();
  EXPECT_TRUE(right(evaluate(e, {1})));
}

TEST_P(Logits, Chunked) {
  Engine e = engine();
  for (const size_t chunk : {2, 3, 7, 8, 13, 16, 32})
    EXPECT_TRUE(right(evaluate(e, {chunk}))) << "chunks of " << chunk;
  Engine small = engine("", 5);  // the engine itself cuts a step
  EXPECT_TRUE(right(evaluate(small, {golden_.ids.size()})));
}

TEST_P(Logits, CutAtBoundaries) {
  Engine e = engine();
  for (const size_t length : golden_.boundaries) {
    EXPECT_TRUE(right(evaluate(e, {length, golden_.ids.size()}))) << "first " << length;
    EXPECT_TRUE(right(evaluate(e, {length, 1}))) << "first " << length << ", then one by one";
  }
}

TEST_P(Logits, AmongStrangers) {
  Engine e = engine();
  EXPECT_TRUE(right(among_strangers(e, golden_.ids)));
}

TEST_P(Logits, EveryKernelTable) {
  for (const kernels::Table* table : kernels::tables()) {
    if (!table->supported()) continue;
    Engine e = engine(std::string(table->name));
    EXPECT_TRUE(right(evaluate(e, {golden_.ids.size()}))) << table->name << ", whole";
    EXPECT_TRUE(right(evaluate(e, {1}))) << table->name << ", stepwise";
    EXPECT_TRUE(right(evaluate(e, {6}))) << table->name << ", chunks of 6";
  }
}

TEST_P(Logits, AfterForgetting) {
  Engine e = engine();
  const SequenceId s = e.open().value();
  const std::span<const TokenId> ids = golden_.ids;
  const size_t kept = ids.size() / 2;
  const ashlar::Run before{s, ids, ashlar::Run::Logits::none};
  e.step({&before, 1});
  if (!e.can_truncate(s, static_cast<int64_t>(kept))) GTEST_SKIP() << "a window has let go";
  e.truncate(s, static_cast<int64_t>(kept));
  const ashlar::Run again{s, ids.subspan(kept), ashlar::Run::Logits::all};
  const auto found = e.step({&again, 1});
  const size_t begin = kept * static_cast<size_t>(golden_.vocab);
  EXPECT_TRUE(near(std::span(golden_.logits).subspan(begin), found, golden_.vocab, kBound));
}

INSTANTIATE_TEST_SUITE_P(Golden, Logits,
                         testing::ValuesIn(golden_names([](const fs::path&) { return true; })),
                         [](const auto& param) { return param.param; });

/// Weights left in their format: bf16 and f16 may meet activations in bf16, quantised ones meet
/// activations in int8 blocks, and keys and values are kept in f16.
class StoredLogits : public testing::TestWithParam<std::string> {};

TEST_P(StoredLogits, Whole) {
  const Golden golden = read_golden(GetParam());
  const Model model = load_model((golden.folder / "model").string());
  double bound = kBound;
  for (const auto& [name, tensor] : model.weights) {
    if (tensor.format != Format::f32)
      bound = std::max(bound, info(tensor.format).exact ? 2e-2 : 5e-2);
  }
  Engine engine(model.graph, model.weights,
                {.context = static_cast<int64_t>(golden.ids.size()), .sequences = 1});
  EXPECT_TRUE(
      near(golden.logits, in_steps(engine, golden.ids, {golden.ids.size()}), golden.vocab, bound));
  EXPECT_TRUE(near(golden.logits, in_steps(engine, golden.ids, {1}), golden.vocab, bound));
}

/// With float32 activations stored weights are as exact as float32 ones.
TEST_P(StoredLogits, Float32Activations) {
  const Golden golden = read_golden(GetParam());
  const Model model = load_model((golden.folder / "model").string());
  for (const kernels::Table* table : kernels::tables()) {
    if (!table->supported()) continue;
    Engine engine(model.graph, model.weights,
                  {.kernels = std::string(table->name),
                   .context = static_cast<int64_t>(golden.ids.size()),
                   .f32_activations = true});
    EXPECT_EQ(engine.state_format(), Format::f32);
    for (const size_t step : {golden.ids.size(), size_t{1}, size_t{7}}) {
      EXPECT_TRUE(near(golden.logits, in_steps(engine, golden.ids, {step}), golden.vocab, kBound))
          << table->name << ", steps of " << step;
    }
  }
}

/// Dense, experts and latent attention by tiles, on their software model where the CPU has none.
TEST(TileLogits, OfStoredWeights) {
  const test::WithTiles tiles;
  if (!tiles.there()) GTEST_SKIP() << "neither tiles nor AVX-512 with bfloat16 for their model";
  for (const char* name : {"storage_bf16_llama", "storage_f16_llama", "storage_mxfp4_gpt_oss",
                           "storage_fp8_deepseek_v3", "storage_int4_kimi_k2"}) {
    const Golden golden = read_golden(name);
    const Model model = load_model((golden.folder / "model").string());
    double bound = kBound;
    for (const auto& [tensor_name, tensor] : model.weights) {
      if (tensor.format != Format::f32)
        bound = std::max(bound, info(tensor.format).exact ? 2e-2 : 5e-2);
    }
    Engine engine(model.graph, model.weights,
                  {.kernels = "amx", .context = static_cast<int64_t>(golden.ids.size())});
    EXPECT_TRUE(
        near(golden.logits, in_steps(engine, golden.ids, {golden.ids.size()}), golden.vocab, bound))
        << name;
  }
  EXPECT_TRUE(tiles.used());
}

INSTANTIATE_TEST_SUITE_P(Golden, StoredLogits,
                         testing::ValuesIn(golden_names([](const fs::path& folder) {
                           return folder.filename().string().starts_with("storage_");
                         })),
                         [](const auto& param) { return param.param; });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoredLogits);

fs::path twin(const fs::path& folder) { return folder / (folder.filename().string() + ".gguf"); }

class GgufLogits : public testing::TestWithParam<std::string> {};

TEST_P(GgufLogits, Whole) {
  const Golden golden = read_golden(GetParam());
  const Model model = load_as_float32(twin(golden.folder).string());
  Engine engine(model.graph, model.weights,
                {.context = static_cast<int64_t>(golden.ids.size()), .sequences = 1});
  const std::vector<TokenId> ids(golden.ids.begin(),
                                 golden.ids.begin() + static_cast<int64_t>(golden.gguf_tokens));
  const auto expected =
      std::span(golden.logits).first(ids.size() * static_cast<size_t>(golden.vocab));
  EXPECT_TRUE(near(expected, in_steps(engine, ids, {ids.size()}), golden.vocab, kBound));
}

INSTANTIATE_TEST_SUITE_P(Golden, GgufLogits,
                         testing::ValuesIn(golden_names([](const fs::path& folder) {
                           return fs::exists(twin(folder));
                         })),
                         [](const auto& param) { return param.param; });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GgufLogits);

}  // namespace
}  // namespace ashlar
