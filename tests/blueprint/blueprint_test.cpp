// Blueprints: JSON both ways, folding of layers, checks, differences, and their graphs.
#include "blueprint/blueprint.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/json.h"
#include "graph/evaluate.h"
#include "ops/all.h"
#include "support/paths.h"
#include "support/samples.h"

namespace ashlar::testing {
namespace {

template <class F>
std::string message(F f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing thrown";
}

bool shows(const std::string& text, std::initializer_list<const char*> parts) {
  for (const char* part : parts) {
    if (text.find(part) == std::string::npos) return false;
  }
  return true;
}

TEST(BlueprintJson, ReadsBack) {
  for (const Blueprint& bp : sample_blueprints()) {
    const std::string json = to_json(bp);
    EXPECT_EQ(blueprint_from_json(json, bp.name), bp) << json;
    EXPECT_EQ(to_json(blueprint_from_json(json, bp.name)), json);
  }
}

TEST(BlueprintJson, LeavesOutWhatIsUsual) {
  EXPECT_EQ(to_json(qwen_like()),
            "{\n"
            "  \"name\": \"qwen-like\",\n"
            "  \"context\": 64,\n"
            "  \"embedding\": {\"vocab\": 40, \"width\": 12},\n"
            "  \"blocks\": [\n"
            "    {\n"
            "      \"repeat\": 3,\n"
            "      \"wiring\": {\"pre_norm\": {\"eps\": 1e-06}},\n"
            "      \"mixer\": {\n"
            "        \"attention\": {\"heads\": 4, \"kv_heads\": 2, \"head_dim\": 6, "
            "\"qk_norm\": \"per_head\", \"rope\": {\"theta\": 1000000.0}}\n"
            "      },\n"
            "      \"ffn\": {\"dense\": {\"width\": 20}}\n"
            "    }\n"
            "  ],\n"
            "  \"final_norm\": {\"eps\": 1e-06},\n"
            "  \"head\": {\"tied\": true}\n"
            "}\n");
}

TEST(BlueprintJson, ErrorsSayWhereAndWhatIsKnown) {
  const std::string good = to_json(deepseek_like());
  const auto broken = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    return message([&] { blueprint_from_json(text, "file.json"); });
  };
  EXPECT_TRUE(
      shows(broken("\"latent\":", "\"latents\":"), {"file.json.blocks[0].mixer", "latent"}));
  EXPECT_TRUE(shows(broken("\"vocab\": 40", "\"vocab\": 40, \"vocabulary\": 1"),
                    {"file.json.embedding", "unknown field vocabulary", "vocab, width"}));
  EXPECT_TRUE(shows(broken("\"vocab\": 40", "\"vocab\": \"40\""),
                    {"file.json.embedding.vocab", "whole number", "\"40\""}));
  EXPECT_TRUE(shows(broken("\"vocab\": 40", "\"vocab\": 4e1"), {"whole number"}));
  EXPECT_TRUE(shows(broken("\"vocab\": 40, ", ""), {"file.json.embedding", "vocab is missing"}));
  EXPECT_TRUE(
      shows(broken("\"dense\"", "\"sparse\""), {"blocks[0].ffn", "sparse", "dense, experts"}));
  EXPECT_TRUE(shows(broken("\"sigmoid\"", "\"sigmund\""), {"router.score", "sigmund", "softmax"}));
  EXPECT_TRUE(shows(broken("\"correction_bias\": true", "\"correction_bias\": 1"),
                    {"correction_bias", "true or false"}));
  EXPECT_TRUE(shows(broken("\"repeat\": 2", "\"repeat\": 0"), {"blocks[1]", "0 repetitions"}));
  EXPECT_TRUE(shows(broken("\"repeat\": 2", "\"repeat\": 100000000"), {"blocks[1]", "at most"}));
  EXPECT_TRUE(shows(message([&] { blueprint_from_json("{}", "f"); }), {"f", "missing"}));
  EXPECT_TRUE(shows(message([&] { blueprint_from_json("[]", "f"); }), {"f", "object"}));
  EXPECT_TRUE(shows(message([&] { blueprint_from_json("{", "f"); }), {"f"}));
}

TEST(BlueprintJson, BrokenTextNeverAborts) {
  const std::string good = to_json(llama4_like());
  for (size_t i = 0; i < good.size(); i += 3) {
    try {
      blueprint_from_json(good.substr(0, i), "f");
    } catch (const Error&) {
    }
    for (const char c : {'{', '}', '"', '9', '-', '[', 'n'}) {
      std::string text = good;
      text[i] = c;
      try {
        const Blueprint bp = blueprint_from_json(text, "f");
        if (bp.blocks.size() < 64) graph_of(bp);
      } catch (const Error&) {
      }
    }
  }
}

TEST(BlueprintJson, BlocksNestOnlySoDeep) {
  std::string text = to_json(qwen_like());
  const size_t at = text.find("    {\n      \"repeat\"");
  text.insert(
      at, std::string("{\"blocks\": [{\"blocks\": [{\"blocks\": [{\"blocks\": [{\"blocks\": [") +
              "{\"blocks\": [{\"blocks\": [{\"blocks\": [{\"blocks\": []}]}]}]}]}]}]}]}]},");
  EXPECT_TRUE(shows(message([&] { blueprint_from_json(text, "f"); }), {"deep"}));
}

std::string folded(const std::vector<Fold>& folds) {
  std::string s;
  for (const Fold& f : folds) {
    s += (s.empty() ? "" : " ") + std::to_string(f.repeat) + "x";
    s += f.inner.empty() ? std::to_string(f.first) : "(" + folded(f.inner) + ")";
  }
  return s;
}

TEST(Fold, FindsRunsAndPatterns) {
  EXPECT_EQ(folded(fold(qwen_like().blocks)), "3x0");
  EXPECT_EQ(folded(fold(gemma_like(14).blocks)), "2x(5x0 1x5) 2x12");
  EXPECT_EQ(folded(fold(gemma_like(24).blocks)), "4x(5x0 1x5)");
  EXPECT_EQ(folded(fold(gemma_like(1).blocks)), "1x0");
  EXPECT_EQ(folded(fold(deepseek_like().blocks)), "1x0 2x1");
  EXPECT_EQ(folded(fold(llama4_like().blocks)), "2x(1x0 1x1 1x2 1x3)");
  EXPECT_EQ(folded(fold(oss_like().blocks)), "2x(1x0 1x1)");
  EXPECT_EQ(folded(fold({})), "");
}

TEST(Fold, CoversEveryLayerOnceAndTruly) {
  // All words of three kinds of layers up to length 7.
  const std::vector<Block> kinds{gemma_like().blocks[0], gemma_like().blocks[5],
                                 qwen_like().blocks[0]};
  for (size_t length = 1; length <= 7; ++length) {
    size_t words = 1;
    for (size_t i = 0; i < length; ++i) words *= 3;
    for (size_t word = 0; word < words; ++word) {
      std::vector<Block> blocks;
      for (size_t i = 0, rest = word; i < length; ++i, rest /= 3) blocks.push_back(kinds[rest % 3]);
      std::vector<Block> unfolded;
      const std::function<void(const std::vector<Fold>&)> unfold = [&](const auto& folds) {
        for (const Fold& f : folds) {
          for (int64_t r = 0; r < f.repeat; ++r) {
            if (f.inner.empty())
              unfolded.push_back(blocks[f.first]);
            else
              unfold(f.inner);
          }
        }
      };
      unfold(fold(blocks));
      ASSERT_EQ(unfolded, blocks) << length << " " << word;
    }
  }
}

TEST(Check, NamesTheField) {
  const auto complaint = [](Blueprint bp) { return message([&] { check(bp); }); };
  Blueprint bp = qwen_like();
  std::get<AttentionPart>(bp.blocks[1].mixer).kv_heads = 3;
  EXPECT_TRUE(shows(complaint(bp), {"blocks[1].mixer.attention", "4 heads", "3 kv_heads"}));
  bp = qwen_like();
  std::get<AttentionPart>(bp.blocks[2].mixer).rope->dim = 8;
  EXPECT_TRUE(shows(complaint(bp), {"blocks[2].mixer.attention.rope.dim", "6", "8"}));
  bp = qwen_like();
  bp.embedding.vocab = 0;
  EXPECT_TRUE(shows(complaint(bp), {"embedding.vocab", "0"}));
  bp.embedding.vocab = int64_t{1} << 50;
  EXPECT_TRUE(shows(complaint(bp), {"embedding.vocab"}));
  bp = qwen_like();
  bp.blocks.clear();
  EXPECT_TRUE(shows(complaint(bp), {"no blocks"}));
  bp = deepseek_like();
  std::get<ExpertFfnPart>(bp.blocks[1].ffn).top_k = 9;
  EXPECT_TRUE(shows(complaint(bp), {"blocks[1].ffn.experts.top_k", "8", "9"}));
  bp = deepseek_like();
  std::get<ExpertFfnPart>(bp.blocks[2].ffn).router.groups = 3;
  EXPECT_TRUE(shows(complaint(bp), {"blocks[2].ffn.experts.router", "3 groups", "8 experts"}));
  bp = deepseek_like();
  bp.mtp[0].ffn = DenseFfn{.width = -1};
  EXPECT_TRUE(shows(complaint(bp), {"mtp[0].ffn.dense.width", "-1"}));
  for (const Blueprint& good : sample_blueprints()) EXPECT_NO_THROW(check(good)) << good.name;
}

TEST(Diff, TellsEqualDifferencesOfNeighboursOnce) {
  EXPECT_TRUE(diff(qwen_like(), qwen_like()).empty());
  Blueprint b = qwen_like();
  b.name = "another name is no difference";
  EXPECT_TRUE(diff(qwen_like(), b).empty());
  b.embedding.vocab = 41;
  std::get<AttentionPart>(b.blocks[1].mixer).window = 7;
  std::get<AttentionPart>(b.blocks[2].mixer).window = 7;
  const std::vector<Difference> d = diff(qwen_like(), b);
  ASSERT_EQ(d.size(), 2u);
  EXPECT_EQ(d[0].path, "embedding.vocab");
  EXPECT_EQ(d[0].a, "40");
  EXPECT_EQ(d[0].b, "41");
  EXPECT_EQ(d[1].path, "blocks[1..2].mixer.attention.window");
  EXPECT_EQ(d[1].a, "-");
  EXPECT_EQ(d[1].b, "7");
  Blueprint c = qwen_like();
  c.blocks.push_back(c.blocks[0]);
  const std::vector<Difference> e = diff(qwen_like(), c);
  ASSERT_EQ(e.size(), 1u);
  EXPECT_EQ(e[0].path, "layers");
  EXPECT_EQ(e[0].b, "4");
}

TEST(Graphs, TextReadsBack) {
  for (const Blueprint& bp : sample_blueprints()) {
    const Graph g = graph_of(bp);
    EXPECT_EQ(parse_graph(g.text()).text(), g.text()) << bp.name;
    const Graph e = g.expanded();
    EXPECT_EQ(parse_graph(e.text()).text(), e.text()) << bp.name;
    EXPECT_EQ(to_string(g.type(g.output())),
              "[tokens, vocab=" + std::to_string(bp.embedding.vocab) + "]");
  }
}

TEST(Graphs, MultiTokenPrediction) {
  const Graph g = mtp_graph_of(deepseek_like());
  EXPECT_EQ(parse_graph(g.text()).text(), g.text());
  EXPECT_NE(g.param("mtp.0.project"), nullptr);
  EXPECT_EQ(g.param("final_norm"), nullptr);  // the module has its own
  EXPECT_THROW(mtp_graph_of(qwen_like()), Error);
}

// Every graph runs, and a sequence among strangers gives what it gives alone.
TEST(Graphs, Evaluate) {
  for (const Blueprint& bp : sample_blueprints()) {
    const Graph g = graph_of(bp);
    std::map<std::string, Array<float>> weights;
    uint32_t random = 1;
    for (const Param& p : g.params()) {
      Array<float>& a = weights[p.name];
      for (int64_t i = 0; i < p.elements(); ++i) {
        random = random * 1664525 + 1013904223;
        a.values.push_back(static_cast<float>(random >> 8) / 16777216.0f - 0.5f);
      }
      for (const Axis& axis : p.axes) a.sizes.push_back(axis.size);
    }
    const ParamValues<float> values = [&](const Param& p) -> const Array<float>& {
      return weights.at(p.name);
    };
    const TokenBatch alone = TokenBatch::whole({3, 1, 4, 1, 5, 9, 2});
    TokenBatch mixed;
    for (int i = 0; i < 7; ++i) {
      for (int s = 0; s < 2; ++s) {
        mixed.tokens.push_back(s == 0 ? 28 - i : alone.tokens[static_cast<size_t>(i)]);
        mixed.positions.push_back(i);
        mixed.sequences.push_back(s);
      }
    }
    const Array<float> y = evaluate<float>(g, values, alone), z = evaluate<float>(g, values, mixed);
    const size_t vocab = static_cast<size_t>(bp.embedding.vocab);
    ASSERT_EQ(y.values.size(), 7 * vocab);
    for (size_t t = 0; t < 7; ++t) {
      for (size_t i = 0; i < vocab; ++i)
        EXPECT_EQ(y.values[t * vocab + i], z.values[(2 * t + 1) * vocab + i]) << bp.name;
    }
  }
}

TEST(Released, EveryFileReadsBackAndMakesAGraph) {
  const std::filesystem::path folder = std::filesystem::path(source_dir()) / "blueprints";
  for (const std::string& name : blueprint_names()) {
    SCOPED_TRACE(name);
    const Blueprint bp = load_blueprint(name);
    EXPECT_EQ(bp.name, name);
    EXPECT_EQ(to_json(bp), read_file(folder / (name + ".json"))) << "not in its canonical form";
    EXPECT_GT(graph_of(bp).parameter_count(), 0);
  }
}

TEST(Released, UnknownNamesSuggestNearOnes) {
  const std::string text = message([] { load_blueprint("no-such-model"); });
  EXPECT_TRUE(shows(text, {"no-such-model", "near names"})) << text;
}

}  // namespace
}  // namespace ashlar::testing
