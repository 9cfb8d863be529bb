// Spikes by their rules, and what steps with telemetry say, against sums made by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "blueprint/blueprint.h"
#include "train/executor.h"
#include "train/monitor.h"
#include "train/telemetry.h"
#include "train/trainer.h"
#include "transform/differentiate.h"
#include "transform/watch.h"

namespace ashlar::testing {
namespace {

TEST(SpikeMonitor, CallsSpikesByItsRules) {
  SpikeMonitor monitor;
  std::mt19937 chance(3);
  std::normal_distribution<double> noise(0, 0.1);
  const auto is = [](const std::vector<SpikeRule>& found, SpikeRule rule) {
    return std::find(found.begin(), found.end(), rule) != found.end();
  };
  // Nothing is said before a window is full, whatever comes.
  EXPECT_TRUE(monitor.add(100).empty());
  for (int i = 0; i < 130; ++i) monitor.add(3 + noise(chance));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(monitor.add(3 + noise(chance)).empty()) << i;
  EXPECT_NEAR(monitor.mean(), 3, 0.05);
  EXPECT_NEAR(monitor.deviation(), 0.1, 0.03);
  const auto spike = monitor.add(4.5);
  EXPECT_TRUE(is(spike, SpikeRule::deviations_128));
  EXPECT_TRUE(is(spike, SpikeRule::robust));
  EXPECT_FALSE(is(spike, SpikeRule::deviations_1000));  // fewer than 1000 so far
  // A spike widens the deviation of its window, not the median's.
  const auto second = monitor.add(4.2);
  EXPECT_TRUE(is(second, SpikeRule::robust));
  EXPECT_FALSE(monitor.add(1.0).size() > 0) << "downwards is none by these two";
  EXPECT_NEAR(monitor.score(SpikeRule::robust), 2.0 / 106, 0.01);
  EXPECT_EQ(monitor.add(std::numeric_limits<double>::quiet_NaN()).size(), kSpikeRules);
  for (int i = 0; i < 1000; ++i) monitor.add(3 + noise(chance));
  EXPECT_TRUE(is(monitor.add(1.5), SpikeRule::deviations_1000));  // this one also downwards
  SpikeMonitor constant;
  for (int i = 0; i < 1200; ++i) EXPECT_TRUE(constant.add(2).empty());
}

TEST(SpikeMonitor, SmoothnessAndSlope) {
  std::vector<double> values;
  for (int i = 0; i < 500; ++i) values.push_back(std::exp(0.002 * i));
  EXPECT_NEAR(roughness(values), 0.002, 1e-12);
  EXPECT_NEAR(log_slope(values), 2, 1e-9);
  EXPECT_EQ(roughness({}), 0);
  EXPECT_EQ(log_slope({}), 0);
}

class Rows : public TokenRows {
 public:
  int64_t rows() const override { return 64; }
  int64_t length() const override { return 12; }
  void read(int64_t row, std::span<int32_t> ids) const override {
    for (size_t i = 0; i < ids.size(); ++i)
      ids[i] = static_cast<int32_t>((static_cast<size_t>(row) * 7 + i * (row % 3 + 1)) % 24);
  }
  std::string fingerprint() const override { return "rows"; }
  std::string name() const override { return "rows"; }
};

Blueprint small() {
  return blueprint_from_json(R"({"name": "small", "context": 64,
    "embedding": {"vocab": 24, "width": 16},
    "blocks": [
      {"wiring": {"pre_norm": {"eps": 1e-06}},
       "mixer": {"attention": {"heads": 4, "kv_heads": 2, "head_dim": 8, "rope": {"theta": 10000.0}}},
       "ffn": {"dense": {"width": 32}}},
      {"wiring": {"sandwich": {"eps": 1e-06}},
       "mixer": {"latent_attention": {"heads": 2, "qk_nope": 8, "qk_rope": 4, "value_dim": 8,
                                      "latent": 8, "rope": {"theta": 10000.0}}},
       "ffn": {"experts": {"experts": 4, "top_k": 2, "width": 16}}}],
    "final_norm": {"eps": 1e-06}, "head": {"tied": true}})",
                             "test");
}

double norm_of(std::span<const float> values) {
  double sum = 0;
  for (const float v : values) sum += static_cast<double>(v) * v;
  return std::sqrt(sum);
}

struct Small {
  Graph graph = graph_of(small());
  ParameterArrays parameters{graph.params()};
  Rows rows;
  TrainSettings settings;
  Small() {
    std::mt19937 chance(5);
    std::normal_distribution<float> normal(0, 0.1F);
    for (const ParamId i : parameters.ids()) {
      const bool gain = graph.params()[i].role == Role::norm;
      for (float& v : parameters[i]) v = (gain ? 1 : 0) + normal(chance);
    }
    settings.batch = {.sequences = 4};
    settings.optimiser.rate = 1e-3;
    settings.steps = 400;
    settings.clip = 0.5;
  }
  Trainer trainer() {
    return Trainer(graph, parameters, settings, rows, DataOrder::sequential, {.threads = 1});
  }
};

TEST(Telemetry, SaysWhatTheStepDid) {
  Small s;
  s.settings.telemetry = {.every = 2, .sequences = 4};
  s.settings.optimiser.kind = OptimiserKind::sgd;
  s.settings.optimiser.momentum = 0;
  s.settings.optimiser.nesterov = false;
  s.settings.optimiser.decay = 0;
  Trainer trainer = s.trainer();
  trainer.step();
  EXPECT_TRUE(trainer.telemetry().is_null());
  std::vector<std::vector<float>> old;
  for (const ParamId i : s.parameters.ids()) {
    const auto span = s.parameters[i];
    old.emplace_back(span.begin(), span.end());
  }
  const StepRecord record = trainer.step();
  const Json t = trainer.telemetry();
  ASSERT_FALSE(t.is_null());
  // Plain descent: the update is the clipped gradient times the rate.
  double squares = 0, of_layer = 0, weight = 0, update = 0;
  for (const ParamId i : s.parameters.ids()) {
    const auto now = s.parameters[i];
    std::vector<float> change(now.size());
    for (size_t k = 0; k < now.size(); ++k) change[k] = now[k] - old[i.index()][k];
    if (!s.graph.params()[i].name.starts_with("layers.1.")) continue;
    weight += std::pow(norm_of(old[i.index()]), 2);
    update += std::pow(norm_of(change), 2);
  }
  for (const auto& [name, norm] : t["gradient_norm"]["layers"].items()) {
    squares += std::pow(norm.get<double>(), 2);
    if (name == "1") of_layer = norm;
  }
  EXPECT_NEAR(std::sqrt(squares), record.gradient_norm, 1e-9 * record.gradient_norm);
  double of_kinds = 0;
  for (const auto& [name, norm] : t["gradient_norm"]["kinds"].items())
    of_kinds += std::pow(norm.get<double>(), 2);
  EXPECT_NEAR(of_kinds, squares, 1e-9 * squares);
  EXPECT_NEAR(t["clip_factor"].get<double>(), std::min(1.0, 0.5 / (record.gradient_norm + 1e-6)),
              1e-12);
  EXPECT_NEAR(t["weight_norm"]["layers"]["1"].get<double>(), std::sqrt(weight), 1e-6);
  EXPECT_NEAR(t["update_ratio"]["layers"]["1"].get<double>(), std::sqrt(update / weight), 1e-9);
  EXPECT_NEAR(std::sqrt(update),
              of_layer * s.settings.optimiser.rate * t["clip_factor"].get<double>(), 1e-6);
  // Activations: names of what the graph has, latent attention among it.
  EXPECT_TRUE(t["residual_rms"].contains("layers.0.attn_residual"));
  EXPECT_TRUE(t["branch_rms"].contains("layers.1.ffn_residual"));
  EXPECT_EQ(t["largest_score"]["layers.0.attn"].size(), 4);
  EXPECT_EQ(t["score_entropy"]["layers.1.attn"].size(), 2);
  // Twelve tokens see one to twelve keys: no more entropy than evenly spread weights have.
  double most = 0;
  for (int n = 1; n <= 12; ++n) most += std::log(n) / 12;
  for (const Json& entropy : t["score_entropy"]["layers.0.attn"]) {
    EXPECT_GT(entropy.get<double>(), 0);
    EXPECT_LE(entropy.get<double>(), most + 1e-6);
  }
  const Json experts = t["experts"]["layers.1.ffn"];
  double load = 0;
  for (const Json& f : experts["load"]) load += f.get<double>();
  EXPECT_NEAR(load, 2, 1e-6);
  EXPECT_GE(experts["max_violation"].get<double>(), 0);
  EXPECT_LE(experts["entropy"].get<double>(), 1);
  EXPECT_NEAR(t["log_z"].get<double>(), std::log(24), 0.5);
}

// Of two tokens the first alone is scored, and in the last layer nothing leads to the second: the
// gradient of a bias, which is added to every token's branch, is then that of the first token's
// stream.
TEST(Telemetry, GradientOfTheStreamIsThatOfABias) {
  const Graph forward = graph_of(blueprint_from_json(R"({"name": "biases", "context": 8,
    "embedding": {"vocab": 24, "width": 16, "positions": 8},
    "blocks": [{"wiring": {"pre_norm": {"kind": "layer", "eps": 1e-05}},
                "mixer": {"attention": {"heads": 2, "kv_heads": 2, "head_dim": 8, "qkv_bias": true,
                                        "output_bias": true}},
                "ffn": {"dense": {"width": 32, "activation": "gelu", "bias": true}}}],
    "head": {"tied": true}})",
                                                     "test"));
  ParameterArrays parameters(forward.params());
  std::mt19937 chance(5);
  std::normal_distribution<float> normal(0, 0.3F);
  for (const ParamId i : parameters.ids()) {
    for (float& v : parameters[i]) v = normal(chance);
  }
  const Weights weights = parameters.tensors(forward.params());
  const TokenBatch batch = TokenBatch::whole({3, 7});
  const Graph watching = watched_gradients(forward);
  Float32Executor watcher(watching, weights, {.threads = 1});
  const std::vector<Array<float>> found = watcher.run(batch);
  const Graph step = differentiate(forward);
  Float32Executor whole(step, weights, {.threads = 1});
  const std::vector<Array<float>> gradients = whole.run(batch);
  ASSERT_EQ(found.size(), 2);
  const std::map<std::string, std::string> biases{
      {"gradient.layers.0.attn_residual", "gradient.layers.0.attn.o_bias"},
      {"gradient.layers.0.ffn_residual", "gradient.layers.0.ffn.down_bias"}};
  for (size_t i = 0; i < 2; ++i) {
    const std::string bias = biases.at(watching.outputs()[i].name);
    bool seen = false;
    for (size_t k = 0; k < gradients.size(); ++k) {
      if (step.outputs()[k].name != bias) continue;
      seen = true;
      EXPECT_NEAR(found[i].values[0] / (std::pow(norm_of(gradients[k].values), 2) / (2 * 16)), 1,
                  1e-5)
          << bias;
    }
    EXPECT_TRUE(seen) << bias;
  }
}

TEST(Telemetry, CountsWhereEpsDominates) {
  Small s;
  s.settings.telemetry.every = 1;
  s.settings.optimiser.eps = 1e3;  // above any gradient
  Trainer all = s.trainer();
  all.step();
  for (const auto& [kind, share] : all.telemetry()["eps_share"].items())
    EXPECT_EQ(share, 1) << kind;
  Small t;
  t.settings.telemetry.every = 1;
  t.settings.optimiser.eps = 0;
  Trainer none = t.trainer();
  none.step();
  for (const auto& [kind, share] : none.telemetry()["eps_share"].items())
    EXPECT_EQ(share, 0) << kind;
  EXPECT_TRUE(none.telemetry()["eps_share"].contains("experts"));
  t.settings.optimiser.kind = OptimiserKind::sgd;
  Trainer plain = t.trainer();
  plain.step();
  EXPECT_FALSE(plain.telemetry().contains("eps_share"));
}

TEST(Telemetry, ChangesNothing) {
  const auto losses = [](int64_t every) {
    Small s;
    s.settings.telemetry.every = every;
    Trainer trainer = s.trainer();
    std::vector<double> found;
    for (int i = 0; i < 6; ++i) found.push_back(trainer.step().loss);
    return found;
  };
  EXPECT_EQ(losses(0), losses(1));
}

TEST(Telemetry, SpikesAreExaminedBeforeTheirUpdate) {
  Small s;
  Trainer trainer = s.trainer();
  // Steps before, as if they had all been alike: the first one that is done then stands out.
  for (int i = 0; i < 200; ++i) trainer.remember(1e-3 + 1e-6 * (i % 7), 1e-3 + 1e-6 * (i % 5));
  const StepRecord record = trainer.step();
  EXPECT_FALSE(record.spikes.empty());
  ASSERT_TRUE(trainer.examined());
  const StepExamined& e = *trainer.examined();
  EXPECT_EQ(e.step, 1);
  EXPECT_EQ(e.loss.value, record.loss);
  EXPECT_NEAR(e.loss.mean, 1e-3, 1e-5);
  ASSERT_EQ(e.sequences.size(), 4);
  double mean = 0;
  for (size_t i = 0; i < 4; ++i) {
    mean += e.sequences[i].loss / 4;
    if (i > 0) {
      EXPECT_LE(e.sequences[i].loss, e.sequences[i - 1].loss);
    }
    EXPECT_EQ(e.sequences[i].ids.size(), 12);
  }
  EXPECT_NEAR(mean, record.loss, 1e-5);  // of the parameters before the update
  EXPECT_EQ(e.parameters.size(), s.graph.params().size());
}

/// The largest score of the queries that share a key head.
std::vector<double> largest(const Json& telemetry, const char* scope, size_t group) {
  std::vector<double> found;
  const Json& heads = telemetry["largest_score"][scope];
  for (size_t h = 0; h < heads.size(); ++h) {
    if (h % group == 0) found.push_back(-1e30);
    found.back() = std::max(found.back(), heads[h].get<double>());
  }
  return found;
}

// Nothing but the clip changes weights here: scores become what they were, cut at the limit.
TEST(QkClip, ScoresAreScaledToTheLimit) {
  Small s;
  for (const ParamId i : s.parameters.ids()) {
    if (!s.graph.params()[i].name.ends_with("attn.q")) continue;
    const auto q = s.parameters[i];
    for (size_t k = 0; k < q.size(); ++k)
      q[k] *= k < q.size() / 2 ? 60.0F : 0.5F;  // half of the heads
  }
  s.settings.optimiser.rate = 0;
  s.settings.telemetry = {.every = 1, .sequences = 4};
  const auto scores = [&] {
    Trainer trainer = s.trainer();
    trainer.step();
    return trainer.telemetry();
  };
  const Json before = scores();
  constexpr double kMost = 2;
  Trainer clipping = [&] {
    s.settings.optimiser.qk_clip = kMost;
    s.settings.batch.micro = 2;  // the largest over all micro-batches counts
    return s.trainer();
  }();
  const StepRecord record = clipping.step();
  s.settings.optimiser.qk_clip = 0;
  const Json after = scores();
  int64_t above = 0;
  for (const auto& [scope, group] :
       {std::pair{"layers.0.attn", 2}, std::pair{"layers.1.attn", 1}}) {
    const auto old = largest(before, scope, static_cast<size_t>(group)),
               now = largest(after, scope, static_cast<size_t>(group));
    ASSERT_EQ(old.size(), 2);
    // The second layer reads what the first has made of other scores: only its limit is certain.
    for (size_t h = 0; h < old.size(); ++h) {
      above += old[h] > kMost ? 1 : 0;
      if (scope == std::string("layers.0.attn")) {
        EXPECT_NEAR(now[h], std::min(old[h], kMost), 1e-4) << h;
      }
    }
  }
  EXPECT_GE(above, 2);
  EXPECT_LT(above, 4);
  EXPECT_EQ(record.values.at("qk_clipped").at(0), static_cast<float>(above));
}

TEST(QkClip, LatentAttentionScalesToo) {
  Small s;
  Blueprint bp = small();
  bp.blocks = {bp.blocks[1]};
  s.graph = graph_of(bp);
  s.parameters = ParameterArrays(s.graph.params());
  std::mt19937 chance(9);
  std::normal_distribution<float> normal(0, 0.3F);
  for (const ParamId i : s.parameters.ids()) {
    const bool gain = s.graph.params()[i].role == Role::norm;
    for (float& v : s.parameters[i]) v = gain ? 1 : normal(chance);
  }
  s.settings.optimiser.rate = 0;
  s.settings.telemetry = {.every = 1, .sequences = 4};
  const auto scores = [&](double most) {
    s.settings.optimiser.qk_clip = most;
    Trainer trainer = s.trainer();
    trainer.step();
    return largest(trainer.telemetry(), "layers.0.attn", 1);
  };
  const std::vector<double> old = scores(0);
  const double most = 0.5 * *std::min_element(old.begin(), old.end());
  ASSERT_GT(most, 0);
  scores(most);
  for (const double now : scores(0)) EXPECT_NEAR(now, most, 1e-4 * most);
}

}  // namespace
}  // namespace ashlar::testing
