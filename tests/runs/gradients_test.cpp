// Gradients of models, from token ids to tensors under the names of files.
#include "runs/gradients.h"
#include "support/paths.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/temporary_folder.h"
#include "families/family.h"
#include "formats/safetensors.h"
#include "model/assemble.h"
#include "model/bind.h"
#include "model/convert.h"
#include "model/random_weights.h"
#include "support/samples.h"

namespace ashlar::testing {
namespace {

Model random_model(const Blueprint& bp) {
  Model model;
  model.source = bp.name;
  model.blueprint = bp;
  model.graph = graph_of(bp);
  model.weights = random_weights(bp, parameters_of(bp, model.graph), 7, "f32", {});
  return model;
}

const std::vector<TokenId> kIds{3, 17, 5, 5, 22, 9, 1, 28, 14};

/// The loss with every number of a parameter moved along `direction`.
double moved_loss(const Model& model, const std::string& parameter, const Tensor& direction,
                  float by) {
  Model other = random_model(model.blueprint);
  std::byte* data = nullptr;
  const std::vector<float> at = to_f32(model.weights.at(parameter)), along = to_f32(direction);
  Tensor moved = make_tensor(Format::f32, model.weights.at(parameter).sizes, &data);
  for (size_t i = 0; i < at.size(); ++i) reinterpret_cast<float*>(data)[i] = at[i] + by * along[i];
  other.weights[parameter] = moved;
  return gradients(other, kIds).loss;
}

// Along its gradient the loss rises by the gradient's square: through float32 and the fast paths.
TEST(Gradients, AreTheSlopesOfTheLoss) {
  const Model model = random_model(transformer_like());  // which no family writes: canonical names
  const Gradients g = gradients(model, kIds);
  for (const Param& p : model.graph.params()) {
    const Tensor& tensor = g.tensors.at(p.name);
    double square = 0;
    for (const float v : to_f32(tensor)) square += static_cast<double>(v) * v;
    if (square < 1e-5) continue;  // the keys' part of float32's noise
    const auto step = static_cast<float>(2e-3 / std::sqrt(square));
    const double slope =
        (moved_loss(model, p.name, tensor, step) - moved_loss(model, p.name, tensor, -step)) /
        (2 * static_cast<double>(step));
    EXPECT_NEAR(slope / square, 1, 2e-2) << p.name;
  }
}

TEST(Gradients, HaveTheNamesOfTheFamilysFiles) {
  Blueprint bp = qwen_like();
  bp.family = "qwen3";
  const Gradients g = gradients(random_model(bp), kIds);
  EXPECT_GT(g.loss, 1);
  EXPECT_EQ(g.tensors.at("model.embed_tokens.weight").sizes, (Sizes{40, 12}));
  EXPECT_EQ(g.tensors.at("model.layers.2.self_attn.q_proj.weight").sizes, (Sizes{24, 12}));
  EXPECT_EQ(g.tensors.at("model.layers.0.self_attn.k_norm.weight").sizes, (Sizes{6}));
  EXPECT_EQ(g.tensors.at("model.layers.1.mlp.down_proj.weight").sizes, (Sizes{12, 20}));
  EXPECT_EQ(g.tensors.count("lm_head.weight"), 0u) << "tied: one tensor, one gradient";
  EXPECT_EQ(g.tensors.size(), 2 + 3 * 11u);
}

TEST(Gradients, OfExpertsThatSawNoTokenAreZeros) {
  Blueprint bp = deepseek_like();
  bp.mtp.clear();
  bp.family = "deepseek_v3";
  const Model model = random_model(bp);
  const Gradients g = gradients(model, std::vector<TokenId>{3, 17});  // of 8 experts at most 4
  int64_t zeros = 0, others = 0;
  for (const auto& [name, tensor] : g.tensors) {
    if (name.find(".experts") == std::string::npos || name.find("shared") != std::string::npos)
      continue;
    double sum = 0;
    for (const float v : to_f32(tensor)) sum += std::abs(v);
    ++(sum == 0 ? zeros : others);
  }
  EXPECT_GE(zeros, 2 * 3 * 4);
  EXPECT_GE(others, 2 * 3 * 2);
}

TEST(Gradients, AreWrittenAsTheyAre) {
  const Model model = random_model(olmo_like());
  const Gradients g = gradients(model, kIds);
  const TemporaryFolder folder;
  write_gradients(g, folder.path() / "gradients.safetensors");
  const auto file = SafetensorsFolder::open(folder.path() / "gradients.safetensors");
  EXPECT_EQ(file->entries().size(), g.tensors.size());
  for (const auto& [name, tensor] : g.tensors) {
    const Tensor read = file->tensor(name);
    EXPECT_EQ(read.sizes, tensor.sizes) << name;
    EXPECT_EQ(to_f32(read), to_f32(tensor)) << name;
  }
  EXPECT_THROW(write_gradients(g, folder.path() / "no" / "such" / "folder" / "f"), Error);
}

/// The canonical gradient of each parameter, put together again from the files' tensors.
std::map<std::string, std::vector<float>> canonical(const Model& model, const Gradients& g) {
  std::map<std::string, std::vector<float>> all;
  for (const Placement& p : model.placements) {
    const Param* param = model.graph.param(p.parameter);
    if (param == nullptr) continue;
    Source source = p.source;
    source.minus_one = false;
    std::vector<Tensor> files;
    for (const std::string& name : p.tensors) files.push_back(g.tensors.at(name));
    all[p.parameter] =
        to_f32(assembled(*param, source, layout_of(*param, source), source.transposed, files));
  }
  return all;
}

// What a GGUF file turns round, joins or takes apart comes back from both files as the same
// numbers.
class GradientsOfFiles : public ::testing::TestWithParam<std::string> {};
TEST_P(GradientsOfFiles, AreThoseOfTheSameModelInAnotherFormat) {
  const auto folder =
      std::filesystem::path(source_dir()) / "tests/golden/models" / GetParam() / "model";
  const Model model = load_model(folder.string());
  const TemporaryFolder scratch;
  ConvertOptions options;
  options.to = "gguf";
  options.weights = "f32";
  convert_model(model, scratch.path() / "model.gguf", options);
  const Model gguf = load_model((scratch.path() / "model.gguf").string());
  const Gradients a = gradients(model, kIds), b = gradients(gguf, kIds);
  EXPECT_NEAR(a.loss, b.loss, 1e-5);
  const auto expected = canonical(model, a), found = canonical(gguf, b);
  ASSERT_EQ(expected.size(), found.size());
  for (const auto& [name, values] : expected) {
    const std::vector<float>& other = found.at(name);
    ASSERT_EQ(values.size(), other.size()) << name;
    float largest = 1e-4f;
    for (const float v : values) largest = std::max(largest, std::abs(v));
    for (size_t i = 0; i < values.size(); ++i)
      ASSERT_NEAR(values[i], other[i], 1e-3f * largest) << name << " at " << i;
  }
  for (const auto& [name, tensor] : b.tensors)
    EXPECT_TRUE(name.ends_with(".weight") || name.ends_with(".bias") || name.ends_with("_b") ||
                name.ends_with("sinks"))
        << name;
}
INSTANTIATE_TEST_SUITE_P(Golden, GradientsOfFiles,
                         ::testing::Values("gpt2_tied", "llama_31_scaling", "gemma3_six_layers",
                                           "gpt_oss_yarn", "deepseek_v3_groups", "qwen3_tied"));

// Of experts in MXFP4: names and layout of the unpacked checkpoint, as the reference has them.
TEST(Gradients, OfPackedExpertsLieAsThoseOfUnpackedOnes) {
  const auto folder =
      std::filesystem::path(source_dir()) / "tests/golden/models/storage_mxfp4_gpt_oss/model";
  const Model packed = load_model(folder.string());
  const TemporaryFolder scratch;
  ConvertOptions options;
  options.to = "safetensors";
  options.weights = "f32";
  convert_model(packed, scratch.path() / "model", options);
  const Model unpacked = load_model((scratch.path() / "model").string());
  const Gradients a = gradients(packed, kIds), b = gradients(unpacked, kIds);
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (const auto& [name, tensor] : b.tensors) {
    ASSERT_EQ(a.tensors.count(name), 1u) << name;
    EXPECT_EQ(a.tensors.at(name).sizes, tensor.sizes) << name;
    EXPECT_EQ(to_f32(a.tensors.at(name)), to_f32(tensor)) << name;
  }
}

TEST(Gradients, RefuseWhatCannotBeScored) {
  const Model model = random_model(gpt2_like());
  EXPECT_THROW(gradients(model, {}), Error);
  EXPECT_THROW(gradients(model, std::vector<TokenId>{1}), Error);
  EXPECT_THROW(gradients(model, std::vector<TokenId>{1, 30}), Error);
  EXPECT_THROW(gradients(model, std::vector<TokenId>{1, -1}), Error);
  EXPECT_THROW(gradients(model, std::vector<TokenId>(33, 1)), Error) << "32 learned positions";
}

}  // namespace
}  // namespace ashlar::testing
