// The released models' published and computed figures, to the digit.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>

#include "readings/count/count.h"
#include "support/paths.h"

namespace ashlar::testing {
namespace {

struct Figures {
  const char* name;
  int64_t total, active, without_embedding, state;  // state: elements per token
  const char *at_8k, *at_32k, *at_128k;             // GiB of a 2-byte state
};

void PrintTo(const Figures& f, std::ostream* out) { *out << f.name; }

constexpr Figures kFigures[] = {
    {"llama-3.2-1b", 1235814400, 1235814400, 1235814400, 16384, "0.250", "1.000", "4.000"},
    {"llama-3.2-3b", 3212749824, 3212749824, 3212749824, 57344, "0.875", "3.500", "14.000"},
    {"llama-3.1-8b", 8030261248, 8030261248, 7504924672, 65536, "1.000", "4.000", "16.000"},
    {"llama-3.1-70b", 70553706496, 70553706496, 69503033344, 163840, "2.500", "10.000", "40.000"},
    {"llama-3.1-405b", 405853388800, 405853388800, 403752042496, 258048, "3.938", "15.750",
     "63.000"},
    {"mistral-7b-v0.1", 7241732096, 7241732096, 7110660096, 65536, "0.500", "0.500", "0.500"},
    {"mistral-7b-v0.3", 7248023552, 7248023552, 7113805824, 65536, "1.000", "4.000", "16.000"},
    {"mistral-small-3.1-24b", 23572403200, 23572403200, 22901314560, 81920, "1.250", "5.000",
     "20.000"},
    {"olmo-2-1b", 1484916736, 1484916736, 1279395840, 65536, "1.000", "4.000", "16.000"},
    {"olmo-2-7b", 7298617344, 7298617344, 6887575552, 262144, "4.000", "16.000", "64.000"},
    {"olmo-2-13b", 13716198400, 13716198400, 13202396160, 409600, "6.250", "25.000", "100.000"},
    {"olmo-2-32b", 32234279936, 32234279936, 31720477696, 131072, "2.000", "8.000", "32.000"},
    {"gemma-3-270m", 268098176, 268098176, 268098176, 9216, "0.031", "0.101", "0.382"},
    {"gemma-3-1b", 999885952, 999885952, 999885952, 13312, "0.042", "0.136", "0.511"},
    {"gemma-3-4b", 3880263168, 3880263168, 3880263168, 69632, "0.270", "0.738", "2.613"},
    {"gemma-3-12b", 11766034176, 11766034176, 11766034176, 196608, "0.812", "2.312", "8.312"},
    {"gemma-3-27b", 27009346304, 27009346304, 27009346304, 253952, "1.031", "2.906", "10.406"},
    {"qwen3-0.6b", 596049920, 596049920, 596049920, 57344, "0.875", "3.500", "14.000"},
    {"qwen3-1.7b", 1720574976, 1720574976, 1720574976, 57344, "0.875", "3.500", "14.000"},
    {"qwen3-4b", 4022468096, 4022468096, 4022468096, 73728, "1.125", "4.500", "18.000"},
    {"qwen3-8b", 8190735360, 8190735360, 7568405504, 73728, "1.125", "4.500", "18.000"},
    {"qwen3-14b", 14768307200, 14768307200, 13990394880, 81920, "1.250", "5.000", "20.000"},
    {"qwen3-32b", 32762123264, 32762123264, 31984210944, 131072, "2.000", "8.000", "32.000"},
    {"smollm3-3b", 3075098624, 3075098624, 3075098624, 36864, "0.562", "2.250", "9.000"},
    {"qwen3-30b-a3b", 30532122624, 3353032704, 3041867776, 49152, "0.750", "3.000", "12.000"},
    {"qwen3-235b-a22b", 235093634560, 22190763520, 21568433664, 96256, "1.469", "5.875", "23.500"},
    {"qwen3-coder-480b-a35b", 480154875392, 35474765312, 34541270528, 126976, "1.938", "7.750",
     "31.000"},
    {"deepseek-v2-lite", 15706484224, 2661150208, 2451435008, 15552, "0.237", "0.949", "3.797"},
    {"deepseek-v2", 235741434880, 21375800320, 20851512320, 34560, "0.527", "2.109", "8.438"},
    {"deepseek-v3", 671026419200, 37552297472, 36625618432, 35136, "0.536", "2.145", "8.578"},
    {"kimi-k2", 1026408232448, 32861500928, 31687095808, 35136, "0.536", "2.145", "8.578"},
    {"llama-4-scout", 107769861120, 17172894720, 16138408960, 98304, "1.500", "2.625", "7.125"},
    {"llama-4-maverick", 400711848960, 17184691200, 16150205440, 98304, "1.500", "2.625", "7.125"},
    {"gpt-oss-20b", 20914757184, 4187440704, 3608307264, 24576, "0.190", "0.753", "3.003"},
    {"gpt-oss-120b", 116829156672, 5711982912, 5132849472, 36864, "0.286", "1.129", "4.504"},
    {"glm-4.5", 352797829024, 33632266144, 32856319904, 188416, "2.875", "11.500", "46.000"},
    {"glm-4.5-air", 106852251264, 13424129664, 12803372672, 94208, "1.438", "5.750", "23.000"},
    {"grok-2", 269515497472, 114896674816, 113822932992, 131072, "2.000", "8.000", "32.000"},
    {"command-r7b", 8028033024, 8028033024, 8028033024, 65536, "0.625", "1.375", "4.375"},
    {"starcoder2-3b", 3030371328, 3030371328, 3030371328, 15360, "0.117", "0.117", "0.117"},
    {"seed-oss-36b", 36151104512, 36151104512, 35356808192, 131072, "2.000", "8.000", "32.000"},
    {"ernie-4.5-21b-a3b", 21825437888, 3352150208, 3352150208, 28672, "0.438", "1.750", "7.000"},
    {"minimax-m2", 228689764864, 11030553088, 10415956480, 126976, "1.938", "7.750", "31.000"},
    {"ministral-3-8b", 8489553920, 8489553920, 7952683008, 69632, "1.062", "4.250", "17.000"},
    {"glm-4.7-flash", 29943393920, 3896766080, 3579571840, 27072, "0.413", "1.652", "6.609"},
};

Blueprint released(const std::string& name) {
  return load_blueprint(source_dir() + "/blueprints/" + name + ".json");
}

class ReleasedModel : public ::testing::TestWithParam<Figures> {};

TEST_P(ReleasedModel, Counts) {
  const Figures& f = GetParam();
  const Blueprint bp = released(f.name);
  const auto gib = [&](int64_t context) {
    const Count c = count(bp, {.context = context});
    return fmt::format("{:.3f}", static_cast<double>(c.state.bytes_at_context) / (1 << 30));
  };
  const Count c = count(bp);
  EXPECT_EQ(c.parameters.total, f.total);
  EXPECT_EQ(c.parameters.active, f.active);
  EXPECT_EQ(c.parameters.active_without_embedding, f.without_embedding);
  EXPECT_EQ(c.state.elements_per_token, f.state);
  EXPECT_EQ(gib(8192), f.at_8k);
  EXPECT_EQ(gib(32768), f.at_32k);
  EXPECT_EQ(gib(131072), f.at_128k);
}

std::string name_of(const ::testing::TestParamInfo<Figures>& i) {
  std::string name = i.param.name;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Figures, ReleasedModel, ::testing::ValuesIn(kFigures), name_of);

TEST(ReleasedModels, Gpt2) {
  struct Row {
    const char* name;
    int64_t total, state, mib_at_1024;
  };
  for (const Row& r :
       {Row{"gpt2", 124439808, 18432, 36}, Row{"gpt2-medium", 354823168, 49152, 96},
        Row{"gpt2-large", 774030080, 92160, 180}, Row{"gpt2-xl", 1557611200, 153600, 300}}) {
    const Count c = count(released(r.name), {.context = 1024});
    EXPECT_EQ(c.parameters.total, r.total) << r.name;
    EXPECT_EQ(c.state.elements_per_token, r.state) << r.name;
    EXPECT_EQ(c.state.bytes_at_context, r.mib_at_1024 << 20) << r.name;
  }
}

TEST(ReleasedModels, NaiveLatentAttention) {
  struct Row {
    const char* name;
    int64_t naive, latent;
    const char *ratio, *at_8k, *at_32k, *at_128k;
  };
  for (const Row& r : {Row{"deepseek-v2-lite", 138240, 15552, "8.9", "2.1", "8.4", "33.8"},
                       Row{"deepseek-v2", 2457600, 34560, "71.1", "37.5", "150.0", "600.0"},
                       Row{"deepseek-v3", 2498560, 35136, "71.1", "38.1", "152.5", "610.0"},
                       Row{"kimi-k2", 1249280, 35136, "35.6", "19.1", "76.2", "305.0"}}) {
    const Blueprint bp = released(r.name);
    const auto gib = [&](int64_t context) {
      const Count c = count(bp, {.context = context});
      return fmt::format("{:.1f}", static_cast<double>(c.state.naive_bytes_at_context) / (1 << 30));
    };
    const Count c = count(bp);
    EXPECT_EQ(c.state.naive_elements_per_token, r.naive) << r.name;
    EXPECT_EQ(c.state.elements_per_token, r.latent) << r.name;
    EXPECT_EQ(fmt::format("{:.1f}", static_cast<double>(r.naive) / static_cast<double>(r.latent)),
              r.ratio);
    EXPECT_EQ(gib(8192), r.at_8k) << r.name;
    EXPECT_EQ(gib(32768), r.at_32k) << r.name;
    EXPECT_EQ(gib(131072), r.at_128k) << r.name;
  }
}

TEST(ReleasedModels, LayersOfExperts) {
  struct Row {
    const char* name;
    int64_t layer, active, attention;
  };
  for (const Row& r : {Row{"deepseek-v3", 11507286272, 585318656, 187107328},
                       Row{"kimi-k2", 17059365248, 500253056, 101124096},
                       Row{"deepseek-v2-lite", 584847872, 83104256, 13763072}}) {
    const Blueprint bp = released(r.name);
    const Count c = count(bp);
    EXPECT_EQ(c.parameters.by_layer.back(), r.layer) << r.name;
    EXPECT_EQ(c.parameters.active_by_layer.back(), r.active) << r.name;
    EXPECT_EQ(c.by_kind.at("attention").parameters,
              r.attention * static_cast<int64_t>(bp.blocks.size()))
        << r.name;
  }
}

// gpt-oss as published: experts in MXFP4, 4.25 bits a weight, the rest in bfloat16.
TEST(ReleasedModels, GptOssBytes) {
  struct Row {
    const char* name;
    int64_t expert_weights;
    const char *experts, *rest, *all;  // GB, GB, GiB
  };
  for (const Row& r : {Row{"gpt-oss-20b", 19110297600, "10.15", "3.61", "12.8"},
                       Row{"gpt-oss-120b", 114661785600, "60.91", "4.33", "60.8"}}) {
    const Blueprint bp = released(r.name);
    CountOptions options{.weights = "as published"};
    options.formats = [](const Param& p) {
      return p.role == Role::expert ? Format::mxfp4 : Format::bf16;
    };
    const Count c = count(bp, options);
    int64_t experts = 0;
    const Graph graph = graph_of(bp);
    for (const Param& p : graph.params()) experts += p.role == Role::expert ? p.elements() : 0;
    EXPECT_EQ(experts, r.expert_weights) << r.name;
    const auto gb = [](int64_t n) { return fmt::format("{:.2f}", static_cast<double>(n) * 1e-9); };
    EXPECT_EQ(gb(c.weights.by_format.at("mxfp4")), r.experts) << r.name;
    EXPECT_EQ(gb(c.weights.by_format.at("bf16")), r.rest) << r.name;
    EXPECT_EQ(fmt::format("{:.1f}", static_cast<double>(c.weights.bytes) / (1 << 30)), r.all);
  }
}

// The MTP layer of DeepSeek V3 with its projection and norms: 11.610B.
TEST(ReleasedModels, MultiTokenPrediction) {
  const Count c = count(released("deepseek-v3"));
  EXPECT_EQ(fmt::format("{:.3f}", static_cast<double>(c.parameters.mtp) * 1e-9), "11.610");
}

}  // namespace
}  // namespace ashlar::testing
