// Explanations: every node once, costs that add up to the counts, tensors that the family names.
#include "readings/explain/explain.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/error.h"
#include "families/family.h"
#include "readings/count/count.h"
#include "support/samples.h"
#include "support/schema.h"

namespace ashlar {
namespace {

std::vector<Blueprint> all_blueprints() {
  std::vector<Blueprint> all = testing::sample_blueprints();
  for (const std::string& name : blueprint_names()) all.push_back(load_blueprint(name));
  return all;
}

TEST(Explain, PartsAddUpToTheCount) {
  for (const Blueprint& bp : all_blueprints()) {
    const Explanation e = explain(bp);
    const Count c = count(bp);
    double parameters = 0, active = 0, flops = 0, state = 0;
    for (const ExplainedPart& p : e.parts) {
      const auto n = static_cast<double>(p.count);
      parameters += n * static_cast<double>(p.parameters);
      active += n * static_cast<double>(p.active);
      flops += n * p.decode_flops;
      state += n * p.state_bytes;
    }
    // A tied head reads the embedding's table a second time.
    const auto twice = static_cast<double>(bp.head.tied ? c.parameters.embedding : 0);
    EXPECT_EQ(parameters - twice, static_cast<double>(c.parameters.total)) << bp.name;
    EXPECT_EQ(active - twice, static_cast<double>(c.parameters.active)) << bp.name;
    EXPECT_NEAR(flops, c.flops_per_token.decode, 1e-9 * flops) << bp.name;
    EXPECT_EQ(state, static_cast<double>(c.state.bytes_at_context)) << bp.name;
  }
}

TEST(Explain, EveryNodeOfALayerHasItsPlace) {
  const Blueprint bp = testing::deepseek_like();
  const Graph graph = graph_of(bp);
  const Explanation e = explain(bp, "layers.1");
  size_t nodes = 0;
  for (const Node& n : graph.nodes()) {
    const std::string name = n.scope + "." + n.label;
    nodes += name.starts_with("layers.1.") ? 1 : 0;
  }
  ASSERT_EQ(e.parts.size(), 1U);
  EXPECT_EQ(e.parts[0].steps.size(), nodes);
}

TEST(Explain, EveryWeightOfEveryFamilyHasItsTensors) {
  for (const std::string& name : blueprint_names()) {
    const Blueprint bp = load_blueprint(name);
    if (family_named(bp.family) == nullptr) continue;
    const Explanation e = explain(bp);
    for (const ExplainedPart& p : e.parts) {
      for (const ExplainedStep& s : p.steps) {
        for (const ExplainedWeight& w : s.weights) {
          EXPECT_FALSE(w.config.empty()) << name << ": " << w.parameter;
          EXPECT_FALSE(w.gguf.empty()) << name << ": " << w.parameter;
          EXPECT_EQ(w.config.find("{i}"), std::string::npos) << w.config;
        }
      }
    }
  }
}

const ExplainedStep& only_step(const Explanation& e) {
  EXPECT_EQ(e.parts.size(), 1U);
  EXPECT_EQ(e.parts[0].steps.size(), 1U);
  return e.parts[0].steps[0];
}

TEST(Explain, NumbersStandInTheFormulas) {
  const Blueprint qwen = load_blueprint("qwen3-0.6b");
  EXPECT_EQ(only_step(explain(qwen, "layers.3.attn_norm")).numbers,
            "y = x w / sqrt(mean(x^2) + 1e-06)");
  const Explanation e = explain(qwen, "layers.3.attn.q");
  const ExplainedStep& q = only_step(e);
  EXPECT_EQ(q.numbers, "y = W x");
  EXPECT_EQ(q.sizes, "1,024 → 8 × 2 × 128");
  EXPECT_EQ(q.weights[0].config, "model.layers.3.self_attn.q_proj.weight");
  EXPECT_EQ(q.weights[0].gguf, "blk.3.attn_q.weight");
  EXPECT_EQ(q.parameters, 1024 * 2048);
  EXPECT_EQ(q.decode_flops, 2 * 1024 * 2048);
  EXPECT_EQ(only_step(explain(load_blueprint("gemma-3-270m"), "layers.0.attn.scores")).numbers,
            "o = softmax(0.0625 q k^T [window 512]) v");
  // gpt-oss with its biases, limits and the one that is added.
  EXPECT_EQ(only_step(explain(load_blueprint("gpt-oss-20b"), "layers.1.ffn.experts"))
                .numbers.substr(0, 131),
            "y = sum_k w_k (down_e((clamp(up_e x + up_bias_e, -7, 7) + 1) g sigmoid(1.702 g)) + "
            "down_bias_e), g = min(gate_e x + gate_bias_e, 7)");
  EXPECT_EQ(only_step(explain(load_blueprint("gpt-oss-20b"), "layers.1.attn.scores")).numbers,
            "o = softmax(0.125 q k^T [sink]) v");
  const std::string route =
      only_step(explain(load_blueprint("deepseek-v3"), "layers.3.ffn.route")).numbers;
  EXPECT_NE(route.find("top_k=8"), std::string::npos) << route;
  EXPECT_NE(route.find("groups=8"), std::string::npos) << route;
  const Explanation mtp = explain(load_blueprint("deepseek-v3"), "mtp.0");
  EXPECT_GT(mtp.parts[0].parameters, 11'000'000'000);
}

TEST(Explain, TheWholeModelIsFolded) {
  const Explanation e = explain(load_blueprint("deepseek-v3"));
  std::map<std::string, ExplainedPart> parts;
  for (const ExplainedPart& p : e.parts) parts[p.scope] = p;
  EXPECT_EQ(e.parts.size(), 7U);
  EXPECT_EQ(parts.at("layers.0.ffn").layers, "first 3 layers");
  EXPECT_EQ(parts.at("layers.3.ffn").layers, "last 58 layers");
  EXPECT_EQ(parts.at("layers.0.attn").count, 61);
  EXPECT_EQ(parts.at("layers.0.attn").state_per_token, 576);
  EXPECT_FALSE(parts.at("layers.0.attn").sources.empty());
}

TEST(Explain, UnknownScopesNameNearOnes) {
  try {
    explain(load_blueprint("qwen3-0.6b"), "layers.3.atn");
    FAIL() << "expected an error";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::invalid);
    EXPECT_NE(std::string(e.what()).find("layers.3.attn"), std::string::npos) << e.what();
  }
  EXPECT_THROW(explain(load_blueprint("qwen3-0.6b"), "mtp.0"), Error);
  EXPECT_THROW(explain(load_blueprint("qwen3-0.6b"), "", {.context = 0}), Error);
}

TEST(Explain, JsonIsAsDocumented) {
  EXPECT_EQ(testing::schema_differences(explanation_json(explain(load_blueprint("qwen3-0.6b"))),
                                        "explain"),
            std::vector<std::string>{});
}

}  // namespace
}  // namespace ashlar
