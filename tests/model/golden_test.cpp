// Every tiny checkpoint of the families: loads, and goes through safetensors and GGUF unchanged.
#include <set>

#include "families/family.h"
#include "model/bind.h"
#include "support/models.h"

namespace ashlar {
namespace {

using namespace testing;

class Golden : public ::testing::TestWithParam<std::string> {};

/// Equal but for what 32-bit floats of GGUF round, and the family's name where several share one.
void expect_same(const Blueprint& a, Blueprint b) {
  b.name = a.name;
  b.family = a.family;
  for (const Difference& d : diff(a, b)) {
    if (!rounded_alike(d, 1e-6)) ADD_FAILURE() << d.path << ": " << d.a << " and " << d.b;
  }
}

/// GGUF holds these as -exp(w), whose logarithm is w but for its rounding.
bool kept_as_exponential(const std::string& name) { return name.ends_with("a_log"); }

void expect_near(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-6 * (1 + std::abs(a[i])));
}

TEST_P(Golden, LoadsEveryParameter) {
  const Model model = load_model(golden(GetParam()).string());
  const Params params = parameters_of(model.blueprint, model.graph);
  EXPECT_EQ(model.weights.size(), params.size());
  EXPECT_EQ(model.sources.size(), params.size());
  for (const Param& p : params) {
    ASSERT_EQ(model.weights.count(p.name), 1u) << p.name;
    const Tensor& t = model.weights.at(p.name);
    EXPECT_EQ(t.elements(), p.elements()) << p.name;
    EXPECT_EQ(t.cols(), p.cols()) << p.name;
  }
}

TEST_P(Golden, SurvivesSafetensors) {
  const Model model = load_model(golden(GetParam()).string());
  const TemporaryFolder folder;
  convert_model(model, folder.path() / "out", {.weights = "f32"});
  const Model back = load_model((folder.path() / "out").string());
  EXPECT_EQ(differing(model, back), std::vector<std::string>());
  expect_same(model.blueprint, back.blueprint);
  EXPECT_EQ(back.notices, std::vector<std::string>());
}

TEST_P(Golden, SurvivesGguf) {
  const Model model = load_model(golden(GetParam()).string());
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "out.gguf";
  try {
    convert_model(model, file, {.weights = "f32"});
  } catch (const Error& e) {
    // GGUF has no words for some options; then nothing is written.
    const std::set<std::string> unsayable = {"deepseek_v3_three_dense", "gpt2_by_layer",
                                             "gpt2_inner_untied",       "gpt_oss_clamped",
                                             "gemma2_uncapped",         "glm4_moe_lite_half_split"};
    EXPECT_EQ(unsayable.count(GetParam()), 1u) << e.what();
    EXPECT_EQ(e.kind(), ErrorKind::unsupported) << e.what();
    expect_contains(e.what(), "would be read as");
    EXPECT_FALSE(fs::exists(file));
    return;
  }
  const Model back = load_model(file.string());
  Model expected = load_model(golden(GetParam()).string());
  if (back.blueprint.mtp.empty()) {  // DeepSeek's GGUF files leave these layers out
    expected.blueprint.mtp.clear();
    std::erase_if(expected.weights, [](const auto& w) { return w.first.starts_with("mtp."); });
  }
  for (auto& [name, tensor] : expected.weights) {
    if (!kept_as_exponential(name)) continue;
    expect_near(to_f32(tensor), to_f32(back.weights.at(name)));
    tensor = back.weights.at(name);
  }
  EXPECT_EQ(differing(expected, back), std::vector<std::string>());
  expect_same(expected.blueprint, back.blueprint);
}

TEST_P(Golden, RandomWeightsOfItsConfigGoBothWays) {
  const Model model = load_model(golden(GetParam()).string(), {.random = 11, .weights = "bf16"});
  const TemporaryFolder folder;
  convert_model(model, folder.path() / "out");
  EXPECT_EQ(differing(model, load_model((folder.path() / "out").string())),
            std::vector<std::string>());
}

INSTANTIATE_TEST_SUITE_P(Models, Golden, ::testing::ValuesIn(golden_names()),
                         [](const auto& test) { return identifier(test.param); });

TEST(GoldenModels, CoverEveryFamily) {
  std::set<std::string> there, all;
  for (const std::string& name : golden_names())
    there.insert(load_model(golden(name).string(), {.need_weights = false}).blueprint.family);
  for (const Family* family : families()) all.insert(std::string(family->name));
  EXPECT_EQ(there, all);
}

TEST(GoldenModels, FilesOfLlamaCppsConverterHoldTheSameWeights) {
  int64_t seen = 0;
  for (const std::string& name : golden_names()) {
    const fs::path gguf = kModels / name / (name + ".gguf");
    if (!fs::exists(gguf)) continue;
    SCOPED_TRACE(name);
    const Model a = load_model(golden(name).string());
    const Model b = load_model(gguf.string());
    // It writes float32; sums of w and 1 are made in another order nowhere.
    int64_t compared = 0;
    for (const auto& [parameter, tensor] : b.weights) {
      const auto it = a.weights.find(parameter);
      ASSERT_NE(it, a.weights.end()) << parameter;
      if (kept_as_exponential(parameter))
        expect_near(to_f32(it->second), to_f32(tensor));
      else
        EXPECT_EQ(to_f32(it->second), to_f32(tensor)) << parameter;
      ++compared;
    }
    EXPECT_GT(compared, 0);
    ++seen;
  }
  EXPECT_GE(seen, 10);
}

TEST(Convert, QuantisesAsTheMixSays) {
  const Model model = load_model("smollm2-135m", {.random = 3, .weights = "bf16"});
  Model part = load_model("smollm2-135m", {.need_weights = false});
  part.blueprint.blocks.resize(2);
  part.graph = graph_of(part.blueprint);
  for (const Param& p : part.graph.params()) part.weights[p.name] = model.weights.at(p.name);
  const TemporaryFolder folder;
  for (const char* weights : {"q8_0", "q4_0", "f16", "q4_k_m", "q6_k"}) {
    SCOPED_TRACE(weights);
    const fs::path file = folder.path() / (std::string(weights) + ".gguf");
    convert_model(part, file, {.weights = weights});
    const Model back = load_model(file.string());
    // 576 columns are no multiple of 256: K-quants fall back there, as llama.cpp's do.
    for (const auto& [name, tensor] : back.weights) {
      const Tensor expected = convert(convert(part.weights.at(name), Format::f32), tensor.format);
      if (name.ends_with("attn.q") || name.ends_with("attn.k")) continue;
      EXPECT_EQ(to_f32(tensor), to_f32(expected)) << name;
    }
    EXPECT_EQ(back.weights.at("layers.0.attn_norm").format, Format::f32);
    if (std::string(weights) == "q8_0") {
      EXPECT_EQ(back.weights.at("layers.1.ffn.up").format, Format::q8_0);
    }
    if (std::string(weights) == "q4_k_m") {
      EXPECT_EQ(back.weights.at("layers.1.ffn.up").format, Format::q5_0);
    }
  }
}

TEST(Convert, KeepsFormatsByDefaultAndDequantisesForSafetensors) {
  const Model model = load_model(golden("storage_mxfp4_gpt_oss").string());
  const TemporaryFolder folder;
  convert_model(model, folder.path() / "kept.gguf");
  const Model kept = load_model((folder.path() / "kept.gguf").string());
  EXPECT_EQ(kept.weights.at("layers.0.ffn.experts.up").format, Format::mxfp4);
  convert_model(model, folder.path() / "plain");
  const Model plain = load_model((folder.path() / "plain").string());
  EXPECT_EQ(plain.weights.at("layers.0.ffn.experts.up").format, Format::f32);
  EXPECT_EQ(differing(model, plain), std::vector<std::string>());
  convert_model(kept, folder.path() / "back", {.weights = "bf16"});
  const Model back = load_model((folder.path() / "back").string());
  EXPECT_EQ(back.weights.at("layers.0.ffn.experts.up").format, Format::bf16);
}

TEST(Convert, RefusesWhatItCannotWrite) {
  const Model model = load_model(golden("llama_31_scaling").string());
  const TemporaryFolder folder;
  const auto out = folder.path() / "out";
  Error e = error_of([&] { convert_model(model, out, {.weights = "q4_0"}); });
  EXPECT_EQ(e.kind(), ErrorKind::invalid);
  expect_contains(e.what(), "f32, bf16 or f16");
  e = error_of([&] { convert_model(model, out, {.to = "gguf", .weights = "q9_9"}); });
  expect_contains(e.what(), "q4_k_m");
  e = error_of([&] { convert_model(model, ""); });
  expect_contains(e.what(), "no name");
  e = error_of([&] { convert_model(model, out, {.to = "pickle"}); });
  expect_contains(e.what(), "safetensors or gguf");
  e = error_of([&] { convert_model(model, folder.path(), {.to = "gguf"}); });
  expect_contains(e.what(), "is a folder");
  EXPECT_FALSE(fs::exists(out));
}

TEST(Convert, AFullDiskLeavesTheOldFile) {
  const Model model = load_model(golden("llama_31_scaling").string());
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "model.gguf";
  write_file(file, "old");
  // A weight that cannot be produced stands for a disk that cannot be written.
  Model broken = load_model(golden("llama_31_scaling").string());
  broken.weights.erase("final_norm");
  EXPECT_EQ(error_of([&] { convert_model(broken, file); }).kind(), ErrorKind::invalid);
  EXPECT_EQ(read_file(file), "old");
  EXPECT_EQ(error_of([&] { convert_model(model, "/dev/full/model.gguf"); }).kind(), ErrorKind::io);
  EXPECT_EQ(error_of([&] { convert_model(model, "/dev/full", {.to = "gguf"}); }).kind(),
            ErrorKind::resource);
}

}  // namespace
}  // namespace ashlar
