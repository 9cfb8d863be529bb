// Configs of released models as published: their blueprints (the files of blueprints/), parameters
// as published, and round trips through config.json and GGUF keys.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "families/family.h"
#include "support/published.h"

namespace ashlar::testing {
namespace {

class Published : public ::testing::TestWithParam<std::string> {};

TEST_P(Published, BlueprintFileIsWhatTheConfigSays) {
  const Blueprint bp = published(GetParam());
  const std::filesystem::path file = source_folder() / "blueprints" / (GetParam() + ".json");
  // ASHLAR_UPDATE=1 writes the files anew; look at the difference before you keep it.
  if (std::getenv("ASHLAR_UPDATE") != nullptr) write_file(file, to_json(bp));
  EXPECT_EQ(read_file(file), to_json(bp));
}

TEST_P(Published, ConfigRoundTrip) {
  const Blueprint bp = published(GetParam());
  const Family& family = *family_named(bp.family);
  const Json config = write_config(bp, family);
  Blueprint again = read_config(config, "config.json").blueprint;
  again.name = bp.name;
  again.family = bp.family;  // Kimi K2 is written as the DeepSeek-V3 that Transformers knows
  EXPECT_EQ(to_json(again), to_json(bp)) << config.dump(1);
}

TEST_P(Published, GgufRoundTrip) {
  const Blueprint bp = published(GetParam());
  const Family& family = *family_named(bp.family);
  Blueprint again = through_gguf(bp, family);
  again.name = bp.name;
  again.family = bp.family;  // files of the same architecture look alike
  again.mtp = bp.mtp;
  expect_same(again, bp, 1e-6);  // GGUF keeps floats in 32 bits
}

TEST_P(Published, FamilyIsItsOwn) {
  const Blueprint bp = published(GetParam());
  EXPECT_EQ(family_for(bp).name, bp.family);
  Blueprint stray = bp;
  stray.family.clear();
  EXPECT_NO_THROW(family_for(stray));
}

INSTANTIATE_TEST_SUITE_P(All, Published, ::testing::ValuesIn(published_names()),
                         [](const auto& name) { return identifier(name.param); });

// Figures as published (model cards, papers) to the parameter; the sums are of the graph's.
const std::map<std::string, int64_t> kParameters{
    {"gpt2", 124439808},
    {"gpt2-medium", 354823168},
    {"gpt2-large", 774030080},
    {"gpt2-xl", 1557611200},
    {"llama-3.2-1b", 1235814400},
    {"llama-3.2-3b", 3212749824},
    {"llama-3.1-8b", 8030261248},
    {"llama-3.1-70b", 70553706496},
    {"llama-3.1-405b", 405853388800},
    {"mistral-7b-v0.1", 7241732096},
    {"mistral-7b-v0.3", 7248023552},
    {"mistral-small-3.1-24b", 23572403200},
    {"olmo-2-1b", 1484916736},
    {"olmo-2-7b", 7298617344},
    {"olmo-2-13b", 13716198400},
    {"olmo-2-32b", 32234279936},
    {"gemma-3-270m", 268098176},
    {"gemma-3-1b", 999885952},
    {"gemma-3-4b", 3880263168},
    {"gemma-3-12b", 11766034176},
    {"gemma-3-27b", 27009346304},
    {"qwen3-0.6b", 596049920},
    {"qwen3-1.7b", 1720574976},
    {"qwen3-4b", 4022468096},
    {"qwen3-8b", 8190735360},
    {"qwen3-14b", 14768307200},
    {"qwen3-32b", 32762123264},
    {"qwen3-30b-a3b", 30532122624},
    {"qwen3-235b-a22b", 235093634560},
    {"qwen3-coder-480b-a35b", 480154875392},
    {"qwen3-next-80b-a3b", 79674391296},
    {"qwen3.5-0.8b", 752393024},
    {"qwen3.5-2b", 1881825088},
    {"qwen3.5-4b", 4205751296},
    {"qwen3.5-9b", 8953803264},
    {"qwen3.5-27b", 26895998464},
    {"qwen3.5-35b-a3b", 34660610688},
    {"qwen3.5-122b-a10b", 122111526912},
    {"qwen3.5-397b-a17b", 396346350336},
    {"smollm2-135m", 134515008},
    {"smollm3-3b", 3075098624},
    {"deepseek-v2-lite", 15706484224},
    {"deepseek-v2", 235741434880},
    {"deepseek-v3", 671026419200},
    {"kimi-k2", 1026408232448},
    {"llama-4-scout", 107769861120},
    {"llama-4-maverick", 400711848960},
    {"gpt-oss-20b", 20914757184},
    {"gpt-oss-120b", 116829156672},
    {"glm-4.5", 352797829024},
    {"glm-4.5-air", 106852251264},
    {"grok-2", 269515497472},
    {"qwen2-7b", 7615616512},
    {"qwen2-72b", 72706203648},
    {"qwen2.5-0.5b", 494032768},
    {"qwen2.5-1.5b", 1543714304},
    {"qwen2.5-3b", 3085938688},
    {"qwen2.5-7b", 7615616512},
    {"qwen2.5-14b", 14770033664},
    {"qwen2.5-32b", 32763876352},
    {"qwen2.5-72b", 72706203648},
    {"qwen1.5-moe-a2.7b", 14315784192},
    {"qwen2-57b-a14b", 57408658944},
    {"mixtral-8x7b", 46702792704},
    {"mixtral-8x22b", 140620634112},
    {"gemma-2-2b", 2614341888},
    {"gemma-2-9b", 9241705984},
    {"gemma-2-27b", 27227128320},
    {"phi-3-mini-4k", 3821079552},
    {"phi-3-medium-4k", 13960238080},
    {"phi-3.5-mini", 3821079552},
    {"phi-3.5-moe", 41873153344},
    {"phi-4", 14659507200},
    {"phi-4-mini", 3836021760},
    {"olmo-3-7b", 7298011136},
    {"olmo-3-32b", 32233522176},
    {"granite-3.3-2b", 2533539840},
    {"granite-3.3-8b", 8170864640},
    {"granite-4.0-micro", 3402836480},
    {"glm-4-9b-0414", 9400279040},
    {"glm-4-32b-0414", 32566081536},
    {"command-r7b", 8028033024},
    {"command-a-111b", 111057580032},
    {"starcoder2-3b", 3030371328},
    {"starcoder2-7b", 7173923840},
    {"starcoder2-15b", 15957889024},
    {"seed-oss-36b", 36151104512},
    {"ernie-4.5-0.3b", 360748032},
    {"ernie-4.5-21b-a3b", 21825437888},
    {"ernie-4.5-300b-a47b", 299484163264},
    {"minimax-m2", 228689764864},
    {"ministral-3-3b", 3429006336},
    {"ministral-3-8b", 8489553920},
    {"ministral-3-14b", 13506073600},
    {"devstral-small-2-24b", 23572403200},
    {"glm-4.7-flash", 29943393920},
};

TEST_P(Published, ParametersAsPublished) {
  ASSERT_TRUE(kParameters.count(GetParam()) > 0);
  EXPECT_EQ(graph_of(published(GetParam())).parameter_count(), kParameters.at(GetParam()));
}

// Layers of multi-token prediction are counted apart: without the copies of embedding and head.
TEST(PublishedMtp, ParametersApart) {
  const auto apart = [](const std::string& name) {
    const Graph graph = mtp_graph_of(published(name));
    int64_t sum = 0;
    for (const Param& p : graph.params()) sum += p.name.starts_with("mtp.") ? p.elements() : 0;
    return sum;
  };
  EXPECT_EQ(apart("glm-4.5"), 3988069792);
  EXPECT_EQ(apart("glm-4.5-air"), 2375059584);
  EXPECT_EQ(apart("deepseek-v3"), 11507286272 + 2 * 7168 * 7168 + 3 * 7168);
}

TEST(PublishedNames, EveryReleasedSizeHasABlueprint) {
  for (const auto& [name, unused] : kParameters)
    EXPECT_TRUE(std::filesystem::exists(source_folder() / "blueprints" / (name + ".json"))) << name;
  EXPECT_EQ(published_names().size(), kParameters.size());
  EXPECT_NO_THROW(load_blueprint((source_folder() / "blueprints/transformer-2017.json").string()));
}

}  // namespace
}  // namespace ashlar::testing
