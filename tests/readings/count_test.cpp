// Counts audited: operations against an instrumented run, parameters and state against arithmetic
// done by hand on small blueprints.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/error.h"
#include "base/json.h"
#include "graph/evaluate.h"
#include "ops/state.h"
#include "readings/count/count.h"
#include "support/samples.h"
#include "support/schema.h"
#include "transform/differentiate.h"

namespace ashlar::testing {
namespace {

/// Operations that the plain loops perform on `tokens` tokens of one sequence.
int64_t performed(const Graph& graph, int64_t tokens) {
  std::map<std::string, Array<Counted>> made;
  const ParamValues<Counted> params = [&](const Param& p) -> const Array<Counted>& {
    Array<Counted>& a = made[p.name];
    if (a.sizes.empty()) {
      for (const Axis& axis : p.axes) a.sizes.push_back(axis.size);
      for (int64_t i = 0; i < p.elements(); ++i)
        a.values.emplace_back(0.3 * std::sin(0.7 * static_cast<double>(i) + 1));
    }
    return a;
  };
  std::vector<int32_t> ids;
  for (int64_t t = 0; t < tokens; ++t) ids.push_back(static_cast<int32_t>(t * 7 % 29));
  Counted::operations = 0;
  evaluate<Counted>(graph, params, TokenBatch::whole(ids));
  return Counted::operations;
}

class CountSamples : public ::testing::TestWithParam<size_t> {
 protected:
  Blueprint blueprint() const { return sample_blueprints()[GetParam()]; }
};

TEST_P(CountSamples, OperationsAreThoseOfAnInstrumentedRun) {
  const Blueprint bp = blueprint();
  const Graph graph = graph_of(bp);
  // Around the windows and chunks of the samples (3 to 5 tokens), and beyond.
  for (const int64_t context : {1, 4, 5, 11}) {
    const Count c = count(bp, {.tokens = context, .context = context});
    const int64_t prompt = performed(graph, context);
    EXPECT_EQ(std::llround(c.flops_per_token.prefill * static_cast<double>(context)), prompt);
    EXPECT_EQ(std::llround(c.flops_per_token.decode), performed(graph, context + 1) - prompt);
  }
}

TEST_P(CountSamples, PartsAddUp) {
  const Blueprint bp = blueprint();
  const Count c = count(bp, {.context = 100, .weights = "q8_0"});
  const Graph graph = graph_of(bp);
  EXPECT_EQ(c.parameters.total, graph.parameter_count());
  Share all;
  for (const auto& [kind, s] : c.by_kind) {
    all.parameters += s.parameters;
    all.active += s.active;
    all.prefill_flops += s.prefill_flops;
    all.decode_flops += s.decode_flops;
    all.bytes += s.bytes;
    EXPECT_EQ(s.parameters,
              c.parameters.by_kind.contains(kind) ? c.parameters.by_kind.at(kind) : 0);
  }
  EXPECT_EQ(all.parameters, c.parameters.total);
  EXPECT_EQ(all.active, c.parameters.active);
  EXPECT_EQ(all.bytes, c.weights.bytes);
  EXPECT_NEAR(all.prefill_flops / 100, c.flops_per_token.prefill, 1e-6);
  EXPECT_NEAR(all.decode_flops, c.flops_per_token.decode, 1e-6);
  int64_t in_layers = 0;
  for (const int64_t n : c.parameters.by_layer) in_layers += n;
  int64_t outside = 0;
  for (const Param& p : graph.params()) outside += p.name.starts_with("layers.") ? 0 : p.elements();
  EXPECT_EQ(in_layers + outside, c.parameters.total);
  int64_t elements = 0, at_context = 0, bytes = 0;
  for (const StateShare& s : c.state.by_kind) {
    elements += s.elements_per_token;
    at_context += s.elements_at_context;
    bytes += s.bytes_at_context;
  }
  EXPECT_EQ(elements, c.state.elements_per_token);
  EXPECT_EQ(at_context, c.state.elements_at_context);
  EXPECT_EQ(bytes, c.state.bytes_at_context);
  int64_t fixed = 0;  // numbers of whole sequences are float32
  for (const NodeState& n : states_of(graph)) fixed += n.spec.fixed;
  EXPECT_EQ(bytes, 2 * (at_context - fixed) + 4 * fixed);
  EXPECT_GE(c.state.allocated_bytes, c.state.bytes_at_context);
  int64_t by_format = 0;
  for (const auto& [format, n] : c.weights.by_format) by_format += n;
  EXPECT_EQ(by_format, c.weights.bytes);
}

TEST_P(CountSamples, WeightsPerTokenFallWithTheBatch) {
  const Count c = count(blueprint());
  ASSERT_EQ(c.weights.by_batch.size(), 9u);
  for (size_t i = 1; i < c.weights.by_batch.size(); ++i) {
    EXPECT_LT(c.weights.by_batch[i].bytes_per_token, c.weights.by_batch[i - 1].bytes_per_token);
    EXPECT_GE(c.weights.by_batch[i].bytes_per_step, c.weights.by_batch[i - 1].bytes_per_step);
    EXPECT_LE(c.weights.by_batch[i].bytes_per_step, static_cast<double>(c.weights.bytes));
  }
}

std::string name_of(const ::testing::TestParamInfo<size_t>& i) {
  std::string name = sample_blueprints()[i.param].name + "_" + std::to_string(i.param);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Samples, CountSamples,
                         ::testing::Range(size_t{0}, sample_blueprints().size()), name_of);

TEST(Count, ActiveParametersLeaveOutOtherExperts) {
  const Count c = count(deepseek_like());
  // Two expert layers, 8 experts of 3 * 12 * 5 numbers, two chosen.
  EXPECT_EQ(c.parameters.total - c.parameters.active, 2 * 6 * 3 * 12 * 5);
  EXPECT_EQ(c.parameters.embedding, 40 * 12);
  EXPECT_EQ(c.parameters.active - c.parameters.active_without_embedding, 40 * 12);
  EXPECT_GT(c.parameters.mtp, 0);
  const Count tied = count(qwen_like());
  EXPECT_EQ(tied.parameters.active, tied.parameters.active_without_embedding);
}

TEST(Count, ExpertsTouchedByBatch) {
  const Count one = count(deepseek_like()), eight = count(deepseek_like(), {.sequences = 8});
  EXPECT_DOUBLE_EQ(one.weights.experts_touched, 2);
  EXPECT_NEAR(eight.weights.experts_touched, 8 * (1 - std::pow(0.75, 8)), 1e-12);
  EXPECT_EQ(count(qwen_like()).weights.experts_touched, 0);
}

TEST(Count, OneTokenReadsOneRowOfTheTable) {
  const Blueprint bp = olmo_like();  // head of its own
  const Count c = count(bp, {.weights = "f32"});
  EXPECT_DOUBLE_EQ(
      c.weights.bytes_per_token,
      static_cast<double>(c.weights.bytes - (bp.embedding.vocab - 1) * bp.embedding.width * 4));
  const Count tied = count(qwen_like(), {.weights = "f32"});
  EXPECT_DOUBLE_EQ(tied.weights.bytes_per_token, static_cast<double>(tied.weights.bytes));
}

TEST(Count, StateOfWindowsChunksAndLatents) {
  // 12 windowed layers of 5 tokens, 2 global; 2 * 4 numbers per token and layer.
  const Count g = count(gemma_like(), {.context = 100});
  EXPECT_EQ(g.state.elements_per_token, 14 * 8);
  EXPECT_EQ(g.state.elements_at_context, 12 * 8 * 5 + 2 * 8 * 100);
  const Count l = count(llama4_like(), {.context = 100, .sequences = 3});
  EXPECT_EQ(l.state.elements_at_context, 3 * (6 * 16 * 4 + 2 * 16 * 100));
  const Count d = count(deepseek_like(), {.context = 10});
  EXPECT_EQ(d.state.elements_per_token, 3 * (6 + 2));
  EXPECT_EQ(d.state.naive_elements_per_token, 3 * 3 * (4 + 2 + 5));
  EXPECT_EQ(d.state.naive_bytes_at_context, 2 * 10 * d.state.naive_elements_per_token);
  EXPECT_EQ(d.state.by_kind.size(), 1u);
  EXPECT_EQ(d.state.by_kind[0].kind, "latent");
}

TEST(Count, OptionsOutOfRange) {
  EXPECT_THROW(count(qwen_like(), {.tokens = 0}), Error);
  EXPECT_THROW(count(qwen_like(), {.context = -1}), Error);
  EXPECT_THROW(count(qwen_like(), {.context = int64_t{1} << 40}), Error);
  EXPECT_THROW(count(qwen_like(), {.sequences = 0}), Error);
  EXPECT_THROW(count(qwen_like(), {.weights = "q9"}), Error);
  EXPECT_THROW(count(qwen_like(), {.state = Format::q8_0}), Error);  // rows of 12 numbers
}

// A step that trains the layer for multi-token prediction, its loss and its gradients among the
// operations that the plain loops perform.
TEST(Count, TrainingWithTheLayerForMultiTokenPrediction) {
  const Blueprint bp = deepseek_like();
  const Count usual = count(bp, {.tokens = 9}), c = count(bp, {.tokens = 9, .mtp = true});
  EXPECT_EQ(std::llround(usual.training.flops), performed(differentiate(graph_of(bp)), 9));
  EXPECT_EQ(std::llround(c.training.flops),
            performed(differentiate(trained_graph(bp, true), {.losses = {.mtp = 0.3}}), 9));
  EXPECT_GT(c.training.flops, 1.2 * usual.training.flops);
  EXPECT_EQ(c.training.weight_bytes - usual.training.weight_bytes, 4 * c.parameters.mtp);
  EXPECT_GT(c.training.activation_bytes, usual.training.activation_bytes);
  EXPECT_EQ(c.parameters.total, usual.parameters.total);
  EXPECT_NE(count_text(c).find("multi-token prediction with it"), std::string::npos);
  EXPECT_THROW(count(qwen_like(), {.mtp = true}), Error);
}

// Programs outside read these fields.
TEST(Count, JsonIsAsDocumented) {
  const std::string text = count_json(count(deepseek_like()));
  EXPECT_EQ(schema_differences(text, "count"), std::vector<std::string>{});
  const Json json = parse_json(text, "count");
  EXPECT_EQ(json["parameters"]["by_layer"].size(), deepseek_like().blocks.size());
  EXPECT_TRUE(json["parameters"]["total"].is_number_integer());
  EXPECT_TRUE(json["flops_per_token"]["decode"].is_number_integer());
  EXPECT_EQ(json["options"]["state"], "f16");
}

TEST(Count, TextSaysTheNumbers) {
  const std::string text = count_text(count(deepseek_like(), {.context = 10}));
  EXPECT_NE(text.find("layers latent"), std::string::npos) << text;
  EXPECT_NE(text.find("1-2 each"), std::string::npos) << text;
}

}  // namespace
}  // namespace ashlar::testing
