// Claims: their verdicts, their expressions, their files.
#include "readings/claims/claims.h"
#include "readings/claims/claims_figures.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "base/error.h"
#include "readings/claims/claims_expression.h"
#include "support/paths.h"
#include "support/schema.h"

namespace ashlar::testing {
namespace {

class Claims : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("ASHLAR_BLUEPRINTS", (source_dir() + "/blueprints").c_str(), 1);
    setenv("XDG_CACHE_HOME", (binary_dir() + "/no_cache").c_str(), 1);  // speeds as shipped
  }
};

TEST_F(Claims, Verdicts) {
  const std::map<std::string, std::string> expected = {{"mla-cache", "holds-if"},
                                                       {"deepseek-v3-active", "holds"},
                                                       {"gemma3-window-memory", "holds"},
                                                       {"mistral-shallow-latency", "holds-if"},
                                                       {"maverick-active", "fails"},
                                                       {"expert-width", "holds"},
                                                       {"qwen3-llama-memory", "holds-if"},
                                                       {"qwen3-llama-speed", "holds-if"},
                                                       {"gpt-oss-constant-width", "holds-if"},
                                                       {"kimi-k2-active", "holds"},
                                                       {"kimi-k2-dense-first", "holds"},
                                                       {"moe-capacity-cost", "holds-if"},
                                                       {"inner-post-norm-gradients", "undecided"},
                                                       {"qk-norm-stability", "holds-if"},
                                                       {"sandwich-stability", "undecided"},
                                                       {"shared-expert-helps", "undecided"},
                                                       {"expert-collapse", "holds-if"},
                                                       {"deep-or-wide", "undecided"},
                                                       {"moe-trains-harder", "undecided"}};
  const std::vector<Claim> claims = settle_claims();
  EXPECT_EQ(claims.size(), expected.size());
  for (const Claim& c : claims) {
    ASSERT_TRUE(expected.contains(c.id)) << c.id;
    EXPECT_EQ(c.verdict, expected.at(c.id)) << c.id;
    EXPECT_FALSE(c.statement.empty() || c.source.empty() || c.condition.empty()) << c.id;
    EXPECT_FALSE(c.found.empty()) << c.id;
  }
}

TEST_F(Claims, NumbersFound) {
  const auto found = [](const char* id) { return settle_claims({id})[0].found; };
  EXPECT_EQ(found("maverick-active")["active"], 17184691200);
  EXPECT_EQ(found("mla-cache")["latent_elements_per_token"], 34560);
  EXPECT_EQ(found("mla-cache")["mha_of_deepseek_v2_heads"], 1966080);
  EXPECT_EQ(found("mla-cache")["expanded_elements_per_token"], 2457600);
  EXPECT_EQ(found("qwen3-llama-memory")["turns_over_at_tokens"], 15619);
  EXPECT_EQ(found("expert-width")["maverick_active_width"], 16384);
  EXPECT_EQ(found("expert-width")["deepseek_active_width"], 18432);
  EXPECT_EQ(found("kimi-k2-dense-first")["experts"], 384);
  EXPECT_EQ(found("gemma3-window-memory")["windowed_bytes_at_128k"], 11173625856);
}

TEST_F(Claims, JsonAndPage) {
  const std::vector<Claim> claims = settle_claims({"expert-width", "gpt-oss-constant-width"});
  EXPECT_EQ(schema_differences(claims_json(claims), "claims"), std::vector<std::string>{});
  EXPECT_NE(claims_html(claims).find("<article id=\"expert-width\">"), std::string::npos);
  EXPECT_NE(claims_text(settle_claims({"kimi-k2-dense-first"})).find("384"), std::string::npos);
}

TEST_F(Claims, PagesCountVerdictsAndSayWhatIsSettledFirst) {
  const std::vector<Claim> claims =
      settle_claims({"inner-post-norm-gradients", "maverick-active", "deepseek-v3-active"});
  ASSERT_EQ(claims[0].verdict, "undecided");
  ASSERT_EQ(claims[1].verdict, "fails");
  ASSERT_EQ(claims[2].verdict, "holds");
  const std::string page = claims_html(claims);
  const auto at = [&](const char* text) {
    const size_t found = page.find(text);
    EXPECT_NE(found, std::string::npos) << text;
    return found;
  };
  EXPECT_LT(at("<b>1</b>holds"), at("<b>1</b>undecided"));
  EXPECT_LT(at("<b>1</b>undecided"), at("<article"));
  EXPECT_LT(at("id=\"deepseek-v3-active\""), at("id=\"maverick-active\""));
  EXPECT_LT(at("id=\"maverick-active\""), at("id=\"inner-post-norm-gradients\""));
  at("<a href=\"https://arxiv.org/abs/2412.19437\"");
  at("href=\"https://huggingface.co/meta-llama/Llama-4-Maverick-17B-128E\"");
  at("<th>Active without embedding</th><td>16.2B parameters</td>");
  EXPECT_TRUE(
      claims_text(claims).starts_with("1 holds, 0 holds-if, 1 fails, 1 undecided, 0 open\n"));
}

TEST_F(Claims, NumbersHaveWordsAndUnits) {
  EXPECT_EQ(figure_words("qwen3_bytes_at_32k"), "Qwen3 bytes at 32K");
  EXPECT_EQ(figure_words("mha_of_deepseek_v2_heads"), "MHA of DeepSeek V2 heads");
  EXPECT_EQ(figure_value("windowed_bytes_at_4k", 1073741824), "1.00 GiB");
  EXPECT_EQ(figure_value("moe_share_read_at_8", 0.125), "12.5 %");
  EXPECT_EQ(figure_value("llama_bf16_measured", 41.96), "42 tokens/s");
  EXPECT_EQ(figure_value("llama_bf16_measured", 0), "not measured");
  EXPECT_EQ(figure_value("training_operations_per_arm", 2.5e18), "2.5e+18 FLOPs");
  EXPECT_EQ(figure_value("latent_elements_per_token", 34560), "34,560 numbers");
  EXPECT_EQ(figure_value("turns_over_at_tokens", 15619), "15,619 tokens");
  EXPECT_EQ(figure_value("first_block_dense", true), "yes");
  EXPECT_EQ(figure_value("machine", "h100"), "h100");
  EXPECT_EQ(figure_value("mistral_layers", 40), "40 layers");
  EXPECT_EQ(figure_value("maverick_routed", 1), "1 expert");
}

TEST_F(Claims, UnknownIdsNameNearOnes) {
  try {
    settle_claims({"kimi-k2-activ"});
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("kimi-k2-active"), std::string::npos) << e.what();
  }
  EXPECT_THROW(settle_claims({"../claims/mla-cache"}), Error);
}

TEST_F(Claims, SpeedsWanted) {
  const std::vector<Measurement> wanted = wanted_measurements();
  EXPECT_EQ(wanted.size(), 4u);
  for (const Measurement& m : wanted) EXPECT_TRUE(m.weights == "bf16" || m.weights == "q4_k_m");
}

TEST(ClaimExpressions, Values) {
  const Json names = parse_json(
      R"({"a": {"x": 3, "list": [1, 5, 2], "by": {"m-1": 4, "n": 9}}, "b": 2, "s": "text"})",
      "names");
  const auto value = [&](std::string_view text) {
    return evaluate_expression(text, names, "test");
  };
  EXPECT_EQ(value("1 + 2 * 3"), 7);
  EXPECT_EQ(value("(1 + 2) * 3 / -b"), -4.5);
  EXPECT_EQ(value("a.x"), 3);
  EXPECT_EQ(value("a.list[b - 1]"), 5);
  EXPECT_EQ(value("a.by['m-1']"), 4);
  EXPECT_EQ(value("max(a.list) + min(a.by) + sum(a.list)"), 17);
  EXPECT_EQ(value("argmax(a.by)"), "n");
  EXPECT_EQ(value("len(a.list)"), 3);
  EXPECT_EQ(value("a.x > b and not (b == 3) or false"), true);
  EXPECT_EQ(value("s == 'text'"), true);
  EXPECT_EQ(value("has(a.y)"), false);
  EXPECT_EQ(value("default(a.y, default(a.z, 8))"), 8);
  EXPECT_EQ(value("floor(2.7) + ceil(2.1) + round(2.5) + abs(-1) + sqrt(4)"), 11);
  EXPECT_EQ(fill_template("{a.x} of {b * 1000000} at {1 / 3:2}", names, "test"),
            "3 of 2,000,000 at 0.33");
}

TEST(ClaimExpressions, Mistakes) {
  const Json names = parse_json(R"({"a": {"list": [1]}, "s": "text"})", "names");
  for (const char* text :
       {"", "1 +", "(1", "a.b", "a.list[1]", "a.list[-1]", "nothing", "1 / 0", "s + 1", "max()",
        "unknown(1)", "'open", "'\xfc' < 1", "1 2", "a..b", "has(", "max(a.none)"})
    EXPECT_THROW(evaluate_expression(text, names, "test"), Error) << text;
  EXPECT_THROW(evaluate_expression(std::string(100000, '('), names, "test"), Error);
}

}  // namespace
}  // namespace ashlar::testing
