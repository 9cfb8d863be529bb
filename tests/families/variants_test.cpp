// Tiny configurations that switch every family's options (variants.json, as Transformers 5 writes
// them): round trips, and a place for every parameter in both kinds of files.
#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "support/published.h"

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
  const bool half_split = read.family->name == "deepseek_v3" && !read.fields.rotary.interleaved;
  const bool layer_scales =
      read.fields.attention.scale_by_layer || read.fields.attention.query_scalar == 1;
  const bool other_clamp = read.fields.experts.limit != 7;
  const bool no_caps = read.family->name == "gemma2" && read.fields.attention.softcap == 0;
  if (other_activation || half_split || layer_scales || other_clamp || no_caps) {
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
      EXPECT_TRUE(canonical.starts_with("head") || s.name.starts_with(read.family->root)) << s.name;
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
  EXPECT_EQ(windows("qwen2 late window"), "fss");
  EXPECT_EQ(windows("qwen2_moe windows"), "sfsff");
  EXPECT_EQ(windows("mixtral window one kv head"), "ss");
  EXPECT_EQ(windows("gemma2 caps"), "sfs");
  EXPECT_EQ(windows("phi3 window one kv head"), "ss");
  EXPECT_EQ(windows("olmo3 yarn"), "sssfs");
  EXPECT_EQ(windows("cohere2"), "sssfs");
  EXPECT_EQ(windows("cohere2 listed, biased, untied"), "fsf");
  EXPECT_EQ(windows("cohere2 no layer slides"), "ff");
  EXPECT_EQ(windows("starcoder2"), "ss");
  EXPECT_EQ(windows("ministral3 window, tied"), "ss");
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
  EXPECT_EQ(mixtures("qwen2_moe every second"), "dedd");
  EXPECT_EQ(mixtures("llama4"), "eeee");
  EXPECT_EQ(mixtures("llama4 every second, no norm, biased"), "dede");
  EXPECT_EQ(mixtures("llama4 lists, tied"), "deed");
  EXPECT_EQ(mixtures("llama4 no chunks, no experts"), "dddd");
  EXPECT_EQ(mixtures("ernie4_5_moe"), "dee");
  EXPECT_EQ(mixtures("ernie4_5_moe interval, none shared"), "dededd");
  EXPECT_EQ(mixtures("glm4_moe_lite"), "dee");
  EXPECT_EQ(mixtures("glm4_moe_lite listed, groups"), "ede");
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
  EXPECT_EQ(ropes("granite4 tied"), "rr");
  EXPECT_EQ(ropes("granite4 no positions"), "---");
  EXPECT_EQ(ropes("cohere2"), "rrr-r");
  EXPECT_EQ(ropes("cohere2 no layer slides"), "--");
  const auto rope = [](const std::string& name, size_t layer) {
    return *std::get<AttentionPart>(variant(name).blueprint.blocks[layer].mixer).rope;
  };
  EXPECT_EQ(rope("gemma3", 0).theta, 1e4);
  EXPECT_EQ(rope("gemma3", 5).theta, 1e6);
  EXPECT_EQ(rope("gemma3 pattern 3", 0).scaling, RotationScaling::none);
  EXPECT_EQ(rope("gemma3 pattern 3", 2).scaling, RotationScaling::linear);
  EXPECT_EQ(rope("glm4_moe", 0).dim, 4);
  EXPECT_EQ(rope("glm4_moe groups, no norm", 0).dim, 2);
  EXPECT_EQ(rope("glm4 quarter tied", 0).dim, 4);
  EXPECT_EQ(rope("glm4 quarter tied", 0).layout, RotationLayout::interleaved);
  EXPECT_EQ(rope("olmo3 yarn", 0).scaling, RotationScaling::none);
  EXPECT_EQ(rope("olmo3 yarn", 3).scaling, RotationScaling::yarn);
  EXPECT_EQ(rope("olmo3 listed tied", 1).theta, 1e4);
  EXPECT_FALSE(rope("gpt_oss", 0).truncate);
  EXPECT_TRUE(rope("gpt_oss truncated yarn", 0).truncate);
  EXPECT_NEAR(rope("gpt_oss", 0).attention_factor, 1.3465736, 1e-7);
  EXPECT_EQ(rope("minimax_m2", 0).dim, 8);
  EXPECT_EQ(rope("minimax_m2 whole heads", 0).dim, 0);
  EXPECT_EQ(rope("ministral3", 0).attention_factor, 1);
  EXPECT_NEAR(rope("ministral3 untempered", 0).attention_factor, 0.1 * std::log(64.0) + 1, 1e-12);
  EXPECT_EQ(rope("ernie4_5", 0).layout, RotationLayout::interleaved);
}

// Ministral 3: log of whole contexts passed, from the first position after the original one on.
TEST(Options, TemperedQueries) {
  const auto part = [](const std::string& name) {
    return std::get<AttentionPart>(variant(name).blueprint.blocks[0].mixer).temperature;
  };
  EXPECT_EQ(part("ministral3"), (Temperature{0.1, 16, 0}));
  EXPECT_FALSE(part("ministral3 untempered"));
  Json config = variants().at("ministral3");
  config.erase("rope_parameters");  // the class's own: YaRN of factor 16 beyond 16,384 tokens
  const Blueprint usual = read_config(config, "config.json").blueprint;
  const auto& a = std::get<AttentionPart>(usual.blocks[0].mixer);
  EXPECT_EQ(a.temperature, (Temperature{0.1, 16384, 0}));
  EXPECT_EQ(a.rope->factor, 16);
  EXPECT_EQ(a.rope->attention_factor, 1);
}

TEST(Options, LongRope) {
  const auto rope = [](const Blueprint& bp) {
    return *std::get<AttentionPart>(bp.blocks[0].mixer).rope;
  };
  const RopePart mini = rope(published("phi-4-mini"));
  EXPECT_EQ(mini.scaling, RotationScaling::longrope);
  EXPECT_EQ(mini.dim, 96);
  EXPECT_EQ(mini.original_context, 4096);
  EXPECT_EQ(mini.divisors, std::vector<double>(48, 1));
  EXPECT_EQ(mini.long_divisors.back(), 47.77);
  // sqrt(1 + ln 32 / ln 4096), for both tables
  EXPECT_NEAR(mini.attention_factor, 1.1902380714, 1e-9);
  EXPECT_EQ(rope(variant("phi3 long table factors").blueprint).attention_factor, 1.3);
  EXPECT_EQ(rope(published("phi-4")).scaling, RotationScaling::none);
  // What early files call it, and what is none.
  Json config = published_config("phi-3.5-mini");
  for (const char* word : {"su", "yarn", "longrope"}) {
    config["rope_scaling"]["type"] = word;
    EXPECT_EQ(rope(read_config(config, word).blueprint), rope(published("phi-3.5-mini"))) << word;
  }
  config["rope_scaling"]["type"] = "dynamic";
  EXPECT_THROW(read_config(config, "dynamic"), Error);
  config["rope_scaling"]["type"] = "longrope";
  config["rope_scaling"]["long_factor"].erase(0);
  EXPECT_THROW(read_config(config, "47 numbers"), Error);
}

TEST(Options, Multipliers) {
  const Blueprint bp = published("granite-3.3-8b");
  EXPECT_EQ(bp.embedding.scale, 12);
  EXPECT_EQ(bp.head.scale, 1.0 / 16);
  EXPECT_EQ(std::get<PreNorm>(bp.blocks[0].wiring).residual_scale, 0.22);
  EXPECT_EQ(std::get<AttentionPart>(bp.blocks[0].mixer).score_scale(), 0.0078125);
  const auto caps = std::get<AttentionPart>(published("gemma-2-27b").blocks[1].mixer);
  EXPECT_EQ(caps.softcap, 50);
  EXPECT_NEAR(caps.score_scale(), 1.0 / 12, 1e-15);
  const Ffn ffn = published("qwen2-57b-a14b").blocks[0].ffn;
  EXPECT_EQ(std::get<ExpertFfnPart>(ffn).shared, 20480);
  EXPECT_TRUE(std::get<ExpertFfnPart>(ffn).shared_gate);
  EXPECT_FALSE(std::get<ExpertFfnPart>(ffn).router.normalize);
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
  EXPECT_GE(found, 27);
  EXPECT_GE(found, 25);
}

}  // namespace
}  // namespace ashlar::testing
