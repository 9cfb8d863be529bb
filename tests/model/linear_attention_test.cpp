// Checkpoints of gated delta nets: heads that GGUF keeps in another order, in formats whose blocks
// fit a head and in those whose blocks do not; rows of one tensor, read where they lie.
#include "model/file_tensors.h"
#include "support/models.h"

namespace ashlar {
namespace {

using namespace testing;

/// Two key heads, three value heads of `value_dim` each.
Model hybrid(int64_t value_dim) {
  Model model;
  model.blueprint.name = "hybrid";
  model.blueprint.family = "qwen3_5";
  model.blueprint.embedding = {.vocab = 64, .width = 256};
  const Block linear{
      PreNorm{},
      GatedDeltaNetPart{
          .key_heads = 2, .value_heads = 6, .key_dim = value_dim, .value_dim = value_dim},
      DenseFfn{.width = 256}};
  Block attends = linear;
  attends.mixer = AttentionPart{.heads = 2,
                                .kv_heads = 1,
                                .head_dim = 64,
                                .output_gate = true,
                                .qk_norm = QkNorm::per_head,
                                .rope = RopePart{.theta = 1e6, .dim = 16}};
  model.blueprint.blocks = {linear, attends};
  model.blueprint.final_norm = Norm{};
  model.graph = graph_of(model.blueprint);
  uint64_t state = 7;
  for (const Param& p : model.graph.params()) {
    std::byte* out = nullptr;
    Tensor t = make_tensor(Format::f32, {p.rows(), p.cols()}, &out);
    auto* values = reinterpret_cast<float*>(out);
    for (int64_t i = 0; i < p.elements(); ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      values[i] = static_cast<float>(static_cast<double>(state >> 40) / (1 << 24) - 0.5);
    }
    model.weights[p.name] = t;
  }
  return model;
}

class TiledHeads : public ::testing::TestWithParam<std::pair<const char*, int64_t>> {};

TEST_P(TiledHeads, ComeBackFromEveryFormat) {
  const auto [weights, value_dim] = GetParam();
  const Model model = hybrid(value_dim);
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "hybrid.gguf";
  convert_model(model, file, {.weights = weights});
  const Model back = load_model(file.string());
  EXPECT_EQ(back.blueprint.blocks[0].mixer, model.blueprint.blocks[0].mixer);
  const Format format = *format_named(weights);
  for (const auto& [name, tensor] : back.weights) {
    SCOPED_TRACE(name);
    const std::vector<float> exact = to_f32(model.weights.at(name)), found = to_f32(tensor);
    ASSERT_EQ(found.size(), exact.size());
    // Another head's numbers would be off by much more than any rounding.
    double squares = 0, errors = 0;
    for (size_t i = 0; i < exact.size(); ++i) {
      squares += exact[i] * exact[i];
      errors += (found[i] - exact[i]) * (found[i] - exact[i]);
    }
    EXPECT_LT(errors, 0.01 * squares);
    // Decays are kept as -exp(w), convolutions always as they are.
    if (name.ends_with("conv") || name.ends_with("dt_bias")) {
      EXPECT_EQ(errors, 0);
    }
  }
  // Blocks that no head's end cuts stay as they are; the others become float32.
  const Tensor& o = back.weights.at("layers.0.linear_attn.o");
  const bool cut = value_dim % info(format).block_len != 0;
  EXPECT_EQ(o.format, cut ? Format::f32 : format);
  if (!cut) {
    EXPECT_EQ(to_f32(o), to_f32(convert(model.weights.at("layers.0.linear_attn.o"), format)));
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, TiledHeads,
                         ::testing::Values(std::pair{"f32", 8}, std::pair{"bf16", 8},
                                           std::pair{"q8_0", 32}, std::pair{"q4_k", 128},
                                           std::pair{"q6_k", 256}),
                         [](const auto& test) {
                           return test.param.first + std::to_string(test.param.second);
                         });

TEST(LinearAttention, ProjectionsAreReadWhereTheyLie) {
  const Model model = load_model(golden("qwen3_5_usual").string());
  const auto at = [&](const char* name) {
    return model.weights.at("layers.0.linear_attn." + std::string(name));
  };
  const Tensor q = at("q"), k = at("k"), v = at("v");
  EXPECT_EQ(k.data, q.data + q.bytes());
  EXPECT_EQ(v.data, k.data + k.bytes());
}

TEST(LinearAttention, MultiTokenPredictionIsLeftAside) {
  const Model model = load_model(golden("qwen3_5_moe_stacked_mtp").string());
  ASSERT_EQ(model.notices.size(), 1u);
  expect_contains(model.notices[0], "tensors of multi-token prediction left aside");
  const Model wrapped = load_model(golden("qwen3_5_multimodal").string());
  ASSERT_EQ(wrapped.notices.size(), 2u);
  expect_contains(wrapped.notices[0], "other towers (vision, audio) left aside");
}

}  // namespace
}  // namespace ashlar
