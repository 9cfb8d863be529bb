// The training step as a graph: gradients against finite differences, recomputation, counting,
// text.
#include "transform/differentiate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "ops/all.h"
#include "ops/loss.h"
#include "support/op_inputs.h"
#include "support/samples.h"

namespace ashlar::testing {
namespace {

template <class F>
using Numbers = std::map<std::string, Array<F>>;

/// Parameters of a sensible scale: norms about 1, others up to 0.6.
template <class F>
Numbers<F> parameters(const Graph& graph) {
  Numbers<F> all;
  for (const ParamId i : graph.params().ids()) {
    const Param& p = graph.params()[i];
    Array<F> a = filled<F>({Kind::real, p.axes}, TokenBatch{}, 1000 + i.index());
    for (F& v : a.values) {
      if (p.role == Role::norm) v = F(1) + F(0.3) * v;
      if (p.role == Role::projection || p.role == Role::expert) v = F(0.6) * v;
    }
    all[p.name] = std::move(a);
  }
  return all;
}

template <class F>
Numbers<F> run(const Graph& graph, const Numbers<F>& params, const TokenBatch& batch) {
  const auto y = evaluate_outputs<F>(
      graph, [&](const Param& p) -> const Array<F>& { return params.at(p.name); }, batch);
  Numbers<F> all;
  for (size_t i = 0; i < y.size(); ++i) all[graph.outputs()[i].name] = y[i];
  return all;
}

/// Mean next-token cross-entropy of logits, written independently of the ops.
double loss_of(const Graph& forward, const Numbers<double>& params, const TokenBatch& batch) {
  const Array<double> z = run(forward, params, batch).at("");
  const auto vocab = static_cast<size_t>(z.sizes[1]);
  double sum = 0;
  int scored = 0;
  for (size_t t = 0; t < batch.tokens.size(); ++t) {
    for (size_t u = t + 1; u < batch.tokens.size(); ++u) {
      if (batch.sequences[u] != batch.sequences[t]) continue;
      double total = 0;
      for (size_t i = 0; i < vocab; ++i) total += std::exp(z.values[t * vocab + i]);
      sum += std::log(total) - z.values[t * vocab + static_cast<size_t>(batch.tokens[u])];
      ++scored;
      break;
    }
  }
  return sum / scored;
}

TokenBatch two_sequences() { return batch_of({{{0, 9}, {0, 4}}}, true); }

class Differentiated : public ::testing::TestWithParam<Blueprint> {};

TEST_P(Differentiated, LossAndGradientsAreThoseOfFiniteDifferences) {
  const Graph forward = graph_of(GetParam());
  const Graph step = differentiate(forward);
  const TokenBatch batch = two_sequences();
  Numbers<double> params = parameters<double>(forward);
  const Numbers<double> found = run(step, params, batch);
  EXPECT_NEAR(found.at("loss").values[0], loss_of(forward, params, batch), 1e-12);
  ASSERT_EQ(found.size(), forward.params().size() + 1);
  constexpr double kStep = 2e-7;
  for (const Param& p : forward.params()) {
    const Array<double>& gradient = found.at(gradient_name(p.name));
    std::vector<double>& values = params.at(p.name).values;
    ASSERT_EQ(gradient.values.size(), values.size()) << p.name;
    // Along a random direction through all of the parameter, and along the axis of one element.
    const std::vector<double> at = values;
    const Array<double> direction = filled<double>({Kind::real, p.axes}, TokenBatch{}, 77);
    const auto largest = static_cast<size_t>(
        std::max_element(gradient.values.begin(), gradient.values.end(),
                         [](double a, double b) { return std::abs(a) < std::abs(b); }) -
        gradient.values.begin());
    for (const bool whole : {true, false}) {
      double expected = 0;
      const auto moved = [&](double by) {
        for (size_t i = 0; i < values.size(); ++i) {
          const double along = whole ? direction.values[i] : i == largest ? 1.0 : 0.0;
          values[i] = at[i] + by * along;
        }
        return loss_of(forward, params, batch);
      };
      // Of fourth order: fourteen layers bend much.
      const double slope =
          (8 * (moved(kStep) - moved(-kStep)) - (moved(2 * kStep) - moved(-2 * kStep))) /
          (12 * kStep);
      values = at;
      for (size_t i = 0; i < values.size(); ++i)
        expected += gradient.values[i] * (whole ? direction.values[i] : i == largest ? 1.0 : 0.0);
      EXPECT_NEAR(slope, expected, 1e-7 * (1 + std::abs(expected))) << p.name;
    }
  }
}

// Multi-token prediction: the loss of the token after the next, weighted, beside the next one's.
TEST(Differentiate, MultiTokenPredictionIsPartOfTheStep) {
  Blueprint bp = deepseek_like();
  bp.mtp = {bp.blocks.back()};
  const Graph forward = trained_graph(bp, true);
  constexpr double kWeight = 0.3;
  const Graph step = differentiate(forward, {.losses = {.mtp = kWeight}});
  const TokenBatch batch = two_sequences();
  Numbers<double> params = parameters<double>(forward);
  const auto loss = [&] {
    // Written independently of the ops: position, target, logits of the second head.
    const Numbers<double> z = run(forward, params, batch);
    const std::vector<double>& logits = z.at(std::string(kMtpLogits)).values;
    const size_t vocab = logits.size() / batch.tokens.size();
    double sum = 0;
    int scored = 0;
    for (size_t t = 0; t < batch.tokens.size(); ++t) {
      int after = 0;
      for (size_t u = t + 1; u < batch.tokens.size() && after < 2; ++u) {
        if (batch.sequences[u] != batch.sequences[t] || ++after < 2) continue;
        double total = 0;
        for (size_t i = 0; i < vocab; ++i) total += std::exp(logits[t * vocab + i]);
        sum += std::log(total) - logits[t * vocab + static_cast<size_t>(batch.tokens[u])];
        ++scored;
      }
    }
    return sum / scored;
  };
  const Numbers<double> found = run(step, params, batch);
  EXPECT_NEAR(found.at("mtp_loss").values[0], loss(), 1e-12);
  const auto whole = [&] {
    return run(step, params, batch).at("loss").values[0] + kWeight * loss();
  };
  constexpr double kStep = 1e-6;
  for (const char* name : {"mtp.0.project", "mtp.0.hidden_norm", "mtp.0.final_norm", "embedding"}) {
    const Array<double>& gradient = found.at(gradient_name(name));
    std::vector<double>& values = params.at(name).values;
    const auto at = static_cast<size_t>(
        std::max_element(gradient.values.begin(), gradient.values.end(),
                         [](double a, double b) { return std::abs(a) < std::abs(b); }) -
        gradient.values.begin());
    const double before = values[at];
    values[at] = before + kStep;
    const double up = whole();
    values[at] = before - kStep;
    const double down = whole();
    values[at] = before;
    EXPECT_NEAR((up - down) / (2 * kStep), gradient.values[at],
                1e-6 * (1 + std::abs(gradient.values[at])))
        << name;
  }
  // Weight 0: the layer takes no part.
  const auto losses = [](const Graph& graph) {
    return std::count_if(graph.nodes().begin(), graph.nodes().end(),
                         [](const Node& n) { return n.op.name() == "cross_entropy"; });
  };
  EXPECT_EQ(losses(step), 2);
  EXPECT_EQ(losses(differentiate(forward)), 1);
  EXPECT_THROW(differentiate(graph_of(bp), {.losses = {.mtp = kWeight}}), Error);
}

TEST_P(Differentiated, RecomputationGivesTheSameGradients) {
  const Graph forward = graph_of(GetParam());
  const Graph kept = differentiate(forward);
  const Graph again = differentiate(forward, {.recompute_layers = true});
  EXPECT_GT(again.nodes().size(), kept.nodes().size());
  const Numbers<double> params = parameters<double>(forward);
  const TokenBatch batch = two_sequences();
  const Numbers<double> a = run(kept, params, batch), b = run(again, params, batch);
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, array] : a) EXPECT_EQ(array.values, b.at(name).values) << name;
}

/// Numbers alive at once, and those alive when the backward pass begins.
std::pair<int64_t, int64_t> live_numbers(const Graph& graph, int64_t tokens) {
  IdVector<ValueId, NodeId> last(graph.types().size(), NodeId(0));
  for (const NodeId i : graph.nodes().ids()) {
    for (const Input& in : graph.nodes()[i].inputs) {
      if (in.is_value()) last[in.value] = i;
    }
  }
  int64_t live = 0, peak = 0, at_loss = 0;
  for (const NodeId i : graph.nodes().ids()) {
    for (const ValueId v : last.ids()) {
      const Type& type = graph.type(v);
      const int64_t n = type.per_token() ? tokens * type.feature_count() : 0;
      const auto& made = graph.nodes()[i].outputs;
      if (std::find(made.begin(), made.end(), v) != made.end()) live += n;
    }
    peak = std::max(peak, live);
    if (graph.nodes()[i].op.name() == "scored_mean") at_loss = live;
    for (const ValueId v : last.ids()) {
      const Type& type = graph.type(v);
      if (last[v] == i && type.per_token()) live -= tokens * type.feature_count();
    }
  }
  return {peak, at_loss};
}

TEST_P(Differentiated, RecomputationKeepsOnlyWhatPassesBetweenLayers) {
  const Graph forward = graph_of(GetParam());
  const auto [peak, kept] = live_numbers(differentiate(forward), 16);
  const auto [low_peak, low] = live_numbers(differentiate(forward, {.recompute_layers = true}), 16);
  EXPECT_LT(low_peak, peak);
  EXPECT_LT(low, kept);
  // Between the passes: one residual stream per layer, and what stands outside of the layers.
  const auto layers = static_cast<int64_t>(GetParam().blocks.size());
  const int64_t vocab = GetParam().embedding.vocab, width = GetParam().embedding.width;
  EXPECT_LE(low, 16 * (layers * width + 3 * vocab + 6 * width + 4));
}

TEST_P(Differentiated, FlopsAreTheOperationsPerformed) {
  const Graph forward = graph_of(GetParam());
  for (const bool recompute : {false, true}) {
    const Graph step = differentiate(forward, {.recompute_layers = recompute});
    const Workload load{{{0, 7}, {0, 3}}};
    int64_t counted = 0;
    for (const Node& n : step.nodes()) counted += n.op.flops(step.input_types(n), load);
    const Numbers<Counted> params = parameters<Counted>(forward);
    const int64_t before = Counted::operations;
    run(step, params, batch_of(load));
    EXPECT_EQ(Counted::operations - before, counted);
  }
}

TEST_P(Differentiated, IsAGraphLikeAnyOther) {
  const Graph forward = graph_of(GetParam());
  for (const bool recompute : {false, true}) {
    const Graph step = differentiate(forward, {.recompute_layers = recompute});
    step.verify();
    const Graph read = parse_graph(step.text());
    EXPECT_TRUE(read == step);
    ASSERT_EQ(read.outputs().size(), step.outputs().size());
    EXPECT_EQ(step.outputs()[0].name, "loss");
    EXPECT_EQ(step.type(step.output()).axes, Axes{});
    for (const Param& p : forward.params())
      EXPECT_EQ(step.type(step.output(gradient_name(p.name))).axes, p.axes) << p.name;
    EXPECT_EQ(step.params(), forward.params());
    // The forward pass stands first, node by node; then the loss and the backward pass.
    for (const NodeId i : forward.nodes().ids())
      EXPECT_EQ(step.nodes()[i].scope, forward.nodes()[i].scope);
    bool again = false;
    for (size_t i = forward.nodes().size() + 2; i < step.nodes().size(); ++i) {
      const Node& node = step.nodes()[NodeId(i)];
      again = again || node.place.pass == Pass::recomputed;
      EXPECT_NE(node.place.pass, Pass::forward) << node.name();
    }
    EXPECT_EQ(again, recompute);
    const Graph expanded = step.expanded();
    EXPECT_EQ(expanded.outputs().size(), step.outputs().size());
  }
}

std::string name_of(const ::testing::TestParamInfo<Blueprint>& info) {
  std::string name = info.param.name + "_" + std::to_string(info.index);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Samples, Differentiated, ::testing::ValuesIn(sample_blueprints()),
                         name_of);

TEST(Differentiate, RefusesWhatIsNoLanguageModel) {
  Builder b;
  const Value x = b.add1(
      Embed{}, {b.add1(TokenIds{}, {}), b.param("e", {{"vocab", 5}, {"d", 4}}, Role::embedding)});
  const Graph rows = b.finish(b.add1(Rename{.axes = "a=2;b=2"}, {x}));
  EXPECT_THROW(differentiate(rows), Error);
  EXPECT_THROW(differentiate(differentiate(graph_of(qwen_like()))), Error);
}

// The fused gradients stay fused: attention, latent attention, experts.
TEST(Differentiate, KeepsFusedGradients) {
  const auto count = [](const Graph& graph, std::string_view op) {
    return std::count_if(graph.nodes().begin(), graph.nodes().end(),
                         [&](const Node& n) { return n.op.name() == op; });
  };
  const Graph deepseek = differentiate(graph_of(deepseek_like()));
  EXPECT_EQ(count(deepseek, "latent_attention_grad"), 3);
  EXPECT_EQ(count(deepseek, "expert_ffn_grad"), 2);
  EXPECT_EQ(count(differentiate(graph_of(qwen_like())), "attention_grad"), 3);
}

}  // namespace
}  // namespace ashlar::testing
