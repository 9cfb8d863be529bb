// Tiny configurations that switch every family's options (variants.json, as Transformers 5 writes
// them): round trips, and a place for every parameter in both kinds of files.
#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "support.h"

namespace ashlar::testing {
namespace {

const Json& variants() {
  static const Json kVariants = read_json(source_folder() / "tests/families/variants.json");
  return kVariants;
}

std::vector<std::string> variant_names() {
  std::vector<std::string> names;
  for (const auto& [name, unused] : variants().items()) names.push_back(name);
  return names;
}

Read variant(const std::string& name) {
  Read read = read_config(variants().at(name), name);
  read.blueprint.name = name;
  return read;
}

class Variants : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, Variants, ::testing::ValuesIn(variant_names()),
                         [](const auto& name) { return identifier(name.param); });

TEST_P(Variants, ConfigRoundTrip) {
  const Read read = variant(GetParam());
  const Json config = write_config(read.blueprint, *read.family);
  Blueprint again = read_config(config, "config.json").blueprint;
  again.family = read.blueprint.family;  // Kimi K2 is written as a DeepSeek-V3
  expect_same(again, read.blueprint, 1e-12);
  EXPECT_EQ(write_config(read_config(config, "config.json").blueprint, *read.family), config);
}

TEST_P(Variants, GgufRoundTrip) {
  const Read read = variant(GetParam());
  const std::string& activation = read.fields.activation;
  const bool other_activation =
      (read.family->name == "llama" && activation != "silu") || activation == "relu";
  const bool half_split = read.family->name == "deepseek_v3" && !read.fields.rope_interleaved;
  const bool layer_scales = read.fields.scale_by_layer || read.fields.query_scalar == 1;
  const bool other_clamp = read.fields.swiglu_limit != 7;
  if (other_activation || half_split || layer_scales || other_clamp) {
    // GGUF has no word for these: refused, not lost.
    EXPECT_THROW(through_gguf(read.blueprint, *read.family), Error);
    return;
  }
  Blueprint again = through_gguf(read.blueprint, *read.family);
  again.family = read.blueprint.family;
  again.mtp = read.blueprint.mtp;
  expect_same(again, read.blueprint, 1e-6);
}

/// One row of one matrix of one tensor of a file.
using Place = std::tuple<std::string, int64_t, int64_t>;

/// Claims the places of every parameter under the first of its names.
void claim(const Graph& graph, const Read& read, bool gguf, std::map<Place, std::string>& claimed,
           std::map<std::string, int64_t>& rows) {
  const Names names = names_of(*read.family, read.blueprint);
  for (const Param& p : graph.params()) {
    int64_t layer = 0;
    const Name* name =
        names.find(p.name, static_cast<int64_t>(read.blueprint.blocks.size()), &layer);
    ASSERT_NE(name, nullptr) << p.name;
    const std::vector<Source>& sources = gguf ? name->gguf : name->config;
    ASSERT_FALSE(sources.empty()) << p.name;
    const Source& s = sources[0];
    const Layout l = layout_of(p, s);
    ASSERT_EQ(l.matrices * l.rows * l.cols, p.elements()) << p.name;
    for (int64_t m = 0; m < l.matrices; ++m) {
      const std::string tensor = filled(s.name, layer, m);
      EXPECT_EQ(tensor.find('{'), std::string::npos) << tensor;
      rows[tensor] = l.file_rows * (l.stacked ? 1 : l.matrices);
      for (int64_t r = 0; r < l.rows; ++r) {
        const int64_t row = file_row(s, l, r);
        ASSERT_TRUE(row >= 0 && row < l.file_rows) << p.name << " row " << r;
        const auto [at, free] = claimed.emplace(Place{tensor, l.stacked ? 0 : m, row}, p.name);
        ASSERT_TRUE(free || at->second == p.name)
            << p.name << " and " << at->second << " in " << tensor;
        ASSERT_TRUE(free) << p.name << " twice in " << tensor;
      }
    }
  }
}

TEST_P(Variants, EveryParameterHasAPlaceOfItsOwn) {
  const Read read = variant(GetParam());
  for (const bool gguf : {false, true}) {
    std::map<Place, std::string> claimed;
    std::map<std::string, int64_t> rows;
    claim(graph_of(read.blueprint), read, gguf, claimed, rows);
    if (!read.blueprint.mtp.empty()) {
      std::map<Place, std::string> with_mtp;  // the graph of MTP has the layers before it, too
      claim(mtp_graph_of(read.blueprint), read, gguf, with_mtp, rows);
      claimed.merge(with_mtp);
    }
    // Fused tensors are claimed whole.
    std::map<std::string, int64_t> found;
    for (const auto& [place, unused] : claimed) ++found[std::get<0>(place)];
    EXPECT_EQ(found, rows) << (gguf ? "GGUF" : "safetensors");
  }
}

TEST_P(Variants, NamesStartWithTheRoot) {
  const Read read = variant(GetParam());
  const Names names = names_of(*read.family, read.blueprint);
  for (const auto& [canonical, name] : names.all()) {
    for (const Source& s : name.config)
      EXPECT_TRUE(canonical == "head" || s.name.starts_with(read.family->root)) << s.name;
  }
}

TEST(Variants, CoverEveryFamily) {
  std::map<std::string_view, int> count;
  for (const std::string& name : variant_names()) ++count[variant(name).family->name];
  for (const Family* f : families()) EXPECT_GT(count[f->name], 0) << f->name;
}

// What single options mean, against the sentence of the reference's code.
TEST(Options, LayersOfGemma) {
  const auto windows = [](const std::string& name) {
    std::string text;
    const Blueprint bp = variant(name).blueprint;
    for (const Block& b : bp.blocks)
      text += std::get<AttentionPart>(b.mixer).window > 0 ? 's' : 'f';
    return text;
  };
  EXPECT_EQ(windows("gemma3"), "sssssfs");
  EXPECT_EQ(windows("gemma3 pattern 3"), "ssfssfs");
  EXPECT_EQ(windows("gemma3 irregular"), "fssfsff");
  EXPECT_EQ(windows("qwen3 window on later layers, biased"), "ffss");
  EXPECT_EQ(windows("qwen3 layer types, yarn"), "sfsf");
  EXPECT_EQ(windows("qwen3_moe dense list, window, tied"), "ssss");
  EXPECT_EQ(windows("smollm3 window, interval 2"), "fsfs");
  EXPECT_EQ(windows("mistral window"), "ssss");
  EXPECT_EQ(windows("gpt_oss"), "sfsf");
}

TEST(Options, LayersWithExperts) {
  const auto mixtures = [](const std::string& name) {
    std::string text;
    const Blueprint bp = variant(name).blueprint;
    for (const Block& b : bp.blocks)
      text += std::holds_alternative<ExpertFfnPart>(b.ffn) ? 'e' : 'd';
    return text;
  };
  EXPECT_EQ(mixtures("qwen3_moe"), "eeee");
  EXPECT_EQ(mixtures("qwen3_moe every second, not normalised"), "dede");
  EXPECT_EQ(mixtures("qwen3_moe dense list, window, tied"), "dede");
  EXPECT_EQ(mixtures("deepseek_v3"), "ddee");
  EXPECT_EQ(mixtures("deepseek_v2 biased, all experts"), "eeee");
  EXPECT_EQ(mixtures("llama4"), "eeee");
  EXPECT_EQ(mixtures("llama4 every second, no norm, biased"), "dede");
  EXPECT_EQ(mixtures("llama4 lists, tied"), "deed");
  EXPECT_EQ(mixtures("llama4 no chunks, no experts"), "dddd");
}

TEST(Options, Ropes) {
  const auto ropes = [](const std::string& name) {
    std::string text;
    const Blueprint bp = variant(name).blueprint;
    for (const Block& b : bp.blocks) text += std::get<AttentionPart>(b.mixer).rope ? 'r' : '-';
    return text;
  };
  EXPECT_EQ(ropes("smollm3"), "rrr-");
  EXPECT_EQ(ropes("smollm3 list, biased, untied"), "-rr-");
  EXPECT_EQ(ropes("smollm3 window, interval 2"), "r-r-");
  EXPECT_EQ(ropes("llama4"), "rrr-");
  EXPECT_EQ(ropes("llama4 lists, tied"), "r-r-");
  EXPECT_EQ(ropes("gpt2"), "---");
  const auto rope = [](const std::string& name, size_t layer) {
    return *std::get<AttentionPart>(variant(name).blueprint.blocks[layer].mixer).rope;
  };
  EXPECT_EQ(rope("gemma3", 0).theta, 1e4);
  EXPECT_EQ(rope("gemma3", 5).theta, 1e6);
  EXPECT_EQ(rope("gemma3 pattern 3", 0).scaling, RotationScaling::none);
  EXPECT_EQ(rope("gemma3 pattern 3", 2).scaling, RotationScaling::linear);
  EXPECT_EQ(rope("glm4_moe", 0).dim, 4);
  EXPECT_EQ(rope("glm4_moe groups, no norm", 0).dim, 2);
  EXPECT_FALSE(rope("gpt_oss", 0).truncate);
  EXPECT_TRUE(rope("gpt_oss truncated yarn", 0).truncate);
  EXPECT_NEAR(rope("gpt_oss", 0).attention_factor, 1.3465736, 1e-7);
}

TEST(Options, ScaleOfLatentAttention) {
  const auto part = [](const std::string& name) {
    return std::get<LatentAttentionPart>(published(name).blocks[0].mixer);
  };
  EXPECT_NEAR(part("deepseek-v2").score_scale(), 0.1147214, 1e-7);
  EXPECT_NEAR(part("deepseek-v3").score_scale(), 0.1352338, 1e-7);
  EXPECT_NEAR(part("kimi-k2").score_scale(), 0.1308608, 1e-7);
  EXPECT_EQ(part("deepseek-v3").rope.attention_factor, 1);
  const auto plain = std::get<LatentAttentionPart>(
      variant("deepseek_v3 no groups, half-split, biased").blueprint.blocks[0].mixer);
  EXPECT_EQ(plain.scale, 0);
  EXPECT_NEAR(plain.rope.attention_factor, 0.1 * std::log(4.0) + 1, 1e-12);
  EXPECT_EQ(plain.rope.layout, RotationLayout::half);
}

// The same models as Transformers 5 writes their configs.
TEST(Transformers5, SaysTheSame) {
  int found = 0;
  for (const std::string& name : published_names()) {
    const auto file = source_folder() / "tests/families/transformers5" / (name + ".json");
    if (!std::filesystem::exists(file)) continue;
    ++found;
    Blueprint bp = read_config(read_json(file), name).blueprint;
    bp.name = name;
    bp.family = published(name).family;  // Kimi K2 is a DeepSeek-V3 there
    EXPECT_EQ(to_json(bp), to_json(published(name))) << name;
  }
  EXPECT_GE(found, 17);
}

}  // namespace
}  // namespace ashlar::testing
