// Comparisons: a word for each structural feature, sizes that are the counts, curves that are the
// allocator's.
#include "readings/compare/compare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "readings/compare/compare_words.h"
#include "support/mutations.h"
#include "support/samples.h"
#include "support/schema.h"
#include "support/xml.h"

namespace ashlar {
namespace {

/// Everything that is said of a blueprint's structure, topic by topic.
std::string words(const Blueprint& bp, const std::string& topic = {}) {
  std::string all;
  for (const Fact& f : structure_of(anatomy_of(bp))) {
    if (topic.empty() || f.key == topic) all += f.text + "\n";
  }
  return all;
}

void expect_words(const Blueprint& bp, const std::string& topic, const std::string& expected) {
  EXPECT_NE(words(bp, topic).find(expected), std::string::npos)
      << topic << ": " << words(bp, topic) << "expected: " << expected;
}

TEST(Compare, SaysEachStructuralFeature) {
  using namespace testing;
  expect_words(qwen_like(), "norms", "normalises before attention and feed-forward, with RMSNorm");
  expect_words(transformer_like(), "norms", "on the residual stream itself, with LayerNorm");
  expect_words(cohere_like(), "norms", "side by side, with LayerNorm without bias");
  expect_words(transformer_like(), "norms", "no final norm");
  expect_words(olmo_like(), "norms",
               "normalises after attention and feed-forward, inside the residual");
  expect_words(gemma_like(), "norms", "normalises before and after");
  expect_words(olmo_like(), "QK norm", "QK norm over the whole projection");
  expect_words(qwen_like(), "QK norm", "QK norm per head");
  expect_words(llama4_like(), "QK norm",
               "QK norm after RoPE, without weights (3 of every 4 layers)");
  expect_words(gemma_like(12), "reach", "5 of every 6 layers see the last 5 tokens");
  expect_words(gemma_like(12), "reach", "every 6th layer sees all earlier tokens");
  expect_words(oss_like(), "reach", "every second layer sees the last 3 tokens");
  expect_words(llama4_like(), "reach", "3 of every 4 layers see its chunk of 4 tokens");
  expect_words(gemma_like(), "positions", "RoPE, θ 1,000,000, linear ÷ 8");
  expect_words(deepseek_like(), "positions", "YaRN × 4");
  expect_words(llama4_like(), "positions", "none (NoPE) (every 4th layer)");
  expect_words(gpt2_like(), "positions", "32 learned positions");
  expect_words(transformer_like(), "positions", "sinusoidal");
  expect_words(oss_like(), "scores", "a learned sink logit per head");
  expect_words(grok_like(), "scores", "capped at 30");
  expect_words(grok_like(), "scores", "grow beyond position 4");
  expect_words(llama4_like(), "scores", "queries grow with position from 4");
  expect_words(gemma_like(), "attention", "multi-query attention, 4 heads of 4, 1 KV head");
  expect_words(qwen_like(), "attention", "grouped-query attention, 4 heads of 6, 2 KV heads");
  expect_words(gpt2_like(), "attention", "multi-head attention, 2 heads of 4");
  expect_words(deepseek_like(), "attention", "keys and values from a latent of 6");
  expect_words(deepseek_like(), "attention", "queries through rank 7");
  expect_words(deepseek_like(), "feed-forward", "SwiGLU of width 18, 1.5 × d_model (first layer)");
  expect_words(deepseek_like(), "feed-forward", "8 experts of width 5");
  expect_words(deepseek_like(), "feed-forward",
               "2 active per token, and a shared expert of width 5");
  expect_words(grok_like(), "feed-forward", "a dense feed-forward of width 10 beside them");
  expect_words(deepseek_like(), "router", "sigmoid of each logit, balancing bias for the choice");
  expect_words(deepseek_like(), "router",
               "from 2 of 4 groups, top 2, weights sum to 1, weights × 2.5");
  expect_words(llama4_like(), "router", "weight on the expert’s input");
  expect_words(oss_like(), "router", "softmax over the chosen");
  expect_words(oss_like(), "biases", "biases on q, k, v and o, biases in the feed-forward");
  expect_words(grok_like(), "embedding and head", "logits × 0.5, logits capped at 50");
  expect_words(qwen_like(), "embedding and head", "the head is the embedding’s table");
  expect_words(deepseek_like(), "multi-token prediction", "1 further layer");
  expect_words(deepseek_like(), "state", "remembers 8 numbers per token and layer");
}

TEST(Compare, LayersInWords) {
  const auto every = [](size_t total, auto in) {
    std::vector<size_t> layers;
    for (size_t i = 0; i < total; ++i) {
      if (in(i)) layers.push_back(i);
    }
    return layer_words(layers, total);
  };
  EXPECT_EQ(every(6, [](size_t) { return true; }), "all 6 layers");
  EXPECT_EQ(every(6, [](size_t i) { return i < 2; }), "first 2 layers");
  EXPECT_EQ(every(6, [](size_t i) { return i == 0; }), "first layer");
  EXPECT_EQ(every(6, [](size_t i) { return i > 1; }), "last 4 layers");
  EXPECT_EQ(every(9, [](size_t i) { return i == 4 || i == 5; }), "layers 4 to 5");
  EXPECT_EQ(every(9, [](size_t i) { return i == 4; }), "layer 4");
  EXPECT_EQ(every(48, [](size_t i) { return i % 6 == 5; }), "every 6th layer");
  EXPECT_EQ(every(62, [](size_t i) { return i % 6 != 5; }), "5 of every 6 layers");
  EXPECT_EQ(every(8, [](size_t i) { return i % 2 == 0; }), "every second layer");
  EXPECT_EQ(every(7, [](size_t i) { return i == 0 || i == 2 || i == 3; }), "3 of 7 layers");
}

TEST(Compare, SaysWhatIsTheSameAndWhatIsNot) {
  const std::vector<Blueprint> two{testing::qwen_like(), testing::olmo_like()};
  const Comparison c = compare(two);
  for (const Statement& s : c.statements) {
    ASSERT_EQ(s.words.size(), 2U);
    EXPECT_EQ(s.same, s.words[0] == s.words[1]) << s.topic;
    const bool expected_same =
        s.topic != "norms" && s.topic != "QK norm" && s.topic != "embedding and head";
    EXPECT_EQ(s.same, expected_same) << s.topic;
  }
  EXPECT_FALSE(c.fields.empty());
  const std::string text = comparison_text(c);
  EXPECT_LT(text.find("Different"), text.find("inside the residual"));
  EXPECT_LT(text.find("inside the residual"), text.find("The same"));
  const std::vector<Blueprint> equal{testing::qwen_like(), testing::qwen_like()};
  const Comparison e = compare(equal, {.curves = false});
  EXPECT_TRUE(e.fields.empty());
  EXPECT_EQ(e.models[1], "qwen-like (2)");
  for (const Statement& s : e.statements) EXPECT_TRUE(s.same) << s.topic;
  EXPECT_THROW(compare(std::vector{testing::qwen_like()}), Error);
}

template <class Part>
void expect_told(const Blueprint& base, Part* (*part)(Block&),
                 const std::set<std::string>& untold) {
  for (const testing::Mutation& m : testing::mutations<Part>(base, part)) {
    std::vector<Fact> before, after;
    try {
      before = structure_of(anatomy_of(base));
      after = structure_of(anatomy_of(m.blueprint));
    } catch (const Error&) {
      continue;  // check() refuses the combination
    }
    if (!untold.contains(m.field)) {
      EXPECT_NE(before, after) << base.name << "." << m.field;
    }
    EXPECT_FALSE(diff(base, m.blueprint).empty()) << base.name << "." << m.field;
  }
}

// Whatever the blueprint says differently, the words say differently. Not in words: eps of norms
// and the constants of clamped activations.
TEST(Compare, TellsEveryField) {
  expect_told<AttentionPart>(testing::qwen_like(),
                             [](Block& b) { return std::get_if<AttentionPart>(&b.mixer); },
                             {"qk_norm_eps"});
  expect_told<DenseFfn>(testing::qwen_like(),
                        [](Block& b) { return std::get_if<DenseFfn>(&b.ffn); }, {"alpha", "limit"});
  expect_told<ExpertFfnPart>(testing::deepseek_like(),
                             [](Block& b) { return std::get_if<ExpertFfnPart>(&b.ffn); },
                             {"alpha", "limit"});
  expect_told<LatentAttentionPart>(
      testing::deepseek_like(), [](Block& b) { return std::get_if<LatentAttentionPart>(&b.mixer); },
      {"norm_eps"});
}

double size_of(const Comparison& c, const std::string& name, size_t model) {
  for (const SizeRow& r : c.sizes) {
    if (r.name == name) return r.values[model];
  }
  ADD_FAILURE() << "no row " << name;
  return 0;
}

TEST(Compare, SizesAreTheCounts) {
  const std::vector<Blueprint> two{load_blueprint("qwen3-0.6b"), load_blueprint("gpt-oss-20b")};
  const Comparison c = compare(two, {.context = 8192, .curves = false});
  for (size_t i = 0; i < 2; ++i) {
    const Count n = count(two[i], {.context = 8192});
    EXPECT_EQ(size_of(c, "parameters", i), static_cast<double>(n.parameters.total));
    EXPECT_EQ(size_of(c, "active per token", i), static_cast<double>(n.parameters.active));
    EXPECT_EQ(size_of(c, "active without embedding", i),
              static_cast<double>(n.parameters.active_without_embedding));
    EXPECT_EQ(size_of(c, "state at context", i), static_cast<double>(n.state.bytes_at_context));
    EXPECT_EQ(size_of(c, "operations per token, decode", i), n.flops_per_token.decode);
  }
}

Machine machine() {
  Machine m;
  m.name = "test";
  m.source = "published";
  m.memory_bytes = 1e12;
  m.read = {{0, 0, 1e11}};
  m.matrix = {{"f32", "", 0, 1e13}, {"bf16", "", 0, 2e13}};
  return m;
}

TEST(Compare, CurvesRiseAndEndWhereTheModelDoes) {
  const std::vector<Blueprint> two{load_blueprint("gemma-3-1b"), load_blueprint("llama-3.2-1b")};
  const Comparison c = compare(two, {.machine = machine()});
  ASSERT_EQ(c.curves.size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    const std::vector<CurvePoint>& over = c.curves[i].over_context;
    EXPECT_EQ(over.front().context, 1024);
    EXPECT_EQ(over.back().context, two[i].context);
    for (size_t p = 1; p < over.size(); ++p) {
      EXPECT_GE(over[p].state_bytes, over[p - 1].state_bytes);
      EXPECT_GE(over[p].seconds_per_token, over[p - 1].seconds_per_token);
      EXPECT_GT(over[p].memory_bytes, over[p].state_bytes);
    }
    const std::vector<CurvePoint>& batch = c.curves[i].over_batch;
    EXPECT_EQ(batch.size(), 9U);
    for (size_t p = 1; p < batch.size(); ++p)
      EXPECT_GE(batch[p].tokens_per_second, batch[p - 1].tokens_per_second * 0.999);
  }
  // Five of six layers see a window: the longer the context, the less Gemma's state grows.
  const auto growth = [&](size_t model) {
    const auto& o = c.curves[model].over_context;
    return o[5].state_bytes / o[0].state_bytes;
  };
  EXPECT_LT(growth(0), 0.6 * growth(1));
}

TEST(Compare, JsonIsAsDocumented) {
  const std::vector<Blueprint> two{testing::qwen_like(), testing::olmo_like()};
  const Comparison c = compare(two, {.context = 32, .machine = machine()});
  EXPECT_EQ(testing::schema_differences(comparison_json(c), "compare"), std::vector<std::string>{});
}

TEST(Compare, CsvHasALinePerPoint) {
  std::vector<Blueprint> two{testing::qwen_like(), testing::olmo_like()};
  two[0].name = "a \"quoted\", name";
  const Comparison c = compare(two, {.context = 32});
  const std::string csv = comparison_csv(c);
  size_t points = 0;
  for (const Curves& m : c.curves) points += m.over_context.size() + m.over_batch.size();
  EXPECT_EQ(static_cast<size_t>(std::count(csv.begin(), csv.end(), '\n')), points + 1);
  EXPECT_NE(csv.find("context,\"a \"\"quoted\"\", name\",64,1,"), std::string::npos) << csv;
}

TEST(Compare, PlotsAreWellFormedAndTextsStayOnThePage) {
  const std::vector<Blueprint> three{load_blueprint("gemma-3-1b"),
                                     load_blueprint("deepseek-v2-lite"),
                                     load_blueprint("llama-3.2-1b")};
  const std::string svg = comparison_svg(compare(three, {.machine = machine()}));
  const std::vector<testing::Element> all = testing::XmlReader(svg).read();
  int lines = 0, leads = 0, grid = 0;
  for (const testing::Element& e : all) {
    const std::string kind = e.attribute("class");
    if (e.tag == "path" && kind.starts_with("l")) ++(kind.ends_with(" lead") ? leads : lines);
    grid += e.tag == "path" && kind == "grid" ? 1 : 0;
    if (e.tag != "text") continue;
    const double w = e.number("textLength"), x = e.number("x");
    const std::string anchor = e.attribute("text-anchor");
    const double left = anchor == "end" ? x - w : anchor == "middle" ? x - w / 2 : x;
    EXPECT_GE(left, 0) << e.text;
    EXPECT_LE(left + w, all[0].number("width")) << e.text;
  }
  EXPECT_EQ(lines, 4 * 3);  // four plots of three models
  EXPECT_EQ(leads, lines);  // each name is led to from the end of its line
  EXPECT_GT(grid, 4 * 6);
  EXPECT_NE(svg.find(".grid{"), std::string::npos);
}

TEST(Compare, ContextsBeyondWhatAModelWasMadeForAreNamed) {
  const std::vector<Blueprint> two{load_blueprint("gpt2"), load_blueprint("qwen3-0.6b")};
  const std::string beyond = comparison_text(compare(two, {.context = 4096})),
                    within = comparison_text(compare(two, {.context = 1024}));
  EXPECT_NE(beyond.find("gpt2 was made for 1,024 tokens"), std::string::npos) << beyond;
  EXPECT_EQ(beyond.find("qwen3-0.6b was made for"), std::string::npos) << beyond;
  EXPECT_EQ(within.find("was made for"), std::string::npos) << within;
}

}  // namespace
}  // namespace ashlar
