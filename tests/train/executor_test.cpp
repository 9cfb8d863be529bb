// The fast paths of the float32 executor against the ops' plain loops in double.
#include "train/executor.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "kernels/table.h"
#include "ops/all.h"
#include "readings/count/count.h"
#include "support/comparison.h"
#include "support/op_inputs.h"
#include "support/random_blueprint.h"
#include "support/samples.h"
#include "support/sanitized.h"
#include "support/thorough.h"
#include "support/with_tiles.h"
#include "transform/differentiate.h"

namespace ashlar::testing {
namespace {

Weights weights_of(const Graph& graph) {
  Weights weights;
  for (const ParamId i : graph.params().ids()) {
    const Param& p = graph.params()[i];
    const Array<float> a = filled<float>({Kind::real, p.axes}, TokenBatch{}, 1000 + i.index());
    std::byte* data = nullptr;
    Sizes sizes;
    for (int64_t r = 0; r < p.row_axes; ++r) sizes.push_back(p.axes[static_cast<size_t>(r)].size);
    sizes.push_back(p.cols());
    weights[p.name] = make_tensor(Format::f32, sizes, &data);
    auto* values = reinterpret_cast<float*>(data);
    for (size_t k = 0; k < a.values.size(); ++k)
      values[k] = p.role == Role::norm ? 1 + 0.3f * a.values[k] : 0.6f * a.values[k];
  }
  return weights;
}

std::vector<Array<double>> exact(const Graph& graph, const Weights& weights,
                                 const TokenBatch& batch) {
  std::map<std::string, Array<double>> params;
  for (const Param& p : graph.params()) {
    Array<double>& a = params[p.name];
    for (const Axis& axis : p.axes) a.sizes.push_back(axis.size);
    for (const float v : to_f32(weights.at(p.name))) a.values.push_back(v);
  }
  return evaluate_outputs<double>(
      graph, [&](const Param& p) -> const Array<double>& { return params.at(p.name); }, batch);
}

void expect_close(const Graph& graph, const std::vector<Array<float>>& found,
                  const std::vector<Array<double>>& expected, double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  double largest_of_all = 0;
  for (const Array<double>& a : expected) {
    for (const double v : a.values) largest_of_all = std::max(largest_of_all, std::abs(v));
  }
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].sizes, expected[i].sizes);
    ASSERT_EQ(found[i].values.size(), expected[i].values.size());
    double largest = 1e-3 * largest_of_all;
    for (const double v : expected[i].values) largest = std::max(largest, std::abs(v));
    double worst = 0;
    for (size_t k = 0; k < found[i].values.size(); ++k)
      worst = std::max(worst, std::abs(found[i].values[k] - expected[i].values[k]));
    EXPECT_LE(worst, tolerance * largest) << graph.outputs()[i].name;
  }
}

/// Of the largest magnitude: what rounding the values to float32 costs, as long as sums are exact.
constexpr double kTolerance = 1e-4;

class TrainingSteps : public ::testing::TestWithParam<Blueprint> {};

TEST_P(TrainingSteps, FastPathsAgreeWithPlainLoops) {
  const Graph forward = graph_of(GetParam());
  const Weights weights = weights_of(forward);
  // Longer than a block of queries where the table of positions allows it.
  const bool learned = GetParam().embedding.positions > 0;
  // A recurrence carries the rounding of float32 values through all tokens that follow.
  const bool recurrent = std::any_of(
      GetParam().blocks.begin(), GetParam().blocks.end(),
      [](const Block& b) { return std::holds_alternative<GatedDeltaNetPart>(b.mixer); });
  const double tight = recurrent ? 3e-4 : kTolerance, loose = recurrent ? 2e-3 : 2e-4;
  const TokenBatch batch = batch_of({{{0, learned ? 31 : 150}, {0, 1}, {0, 6}}}, true);
  for (const bool recompute : {false, true}) {
    const Graph step = differentiate(forward, {.recompute_layers = recompute});
    const auto expected = exact(step, weights, batch);
    for (const kernels::Table* table : kernels::tables()) {
      if (!table->supported()) continue;
      SCOPED_TRACE(table->name);
      for (const Numbers numbers : {Numbers::f64, Numbers::f32}) {
        Float32Executor executor(
            step, weights, {.threads = 3, .kernels = std::string(table->name), .numbers = numbers});
        expect_close(step, executor.run(batch), expected, numbers == Numbers::f32 ? loose : tight);
      }
    }
    Float32Executor plain(step, weights, {.threads = 1, .plain_loops = true});
    expect_close(step, plain.run(batch), expected, loose);
  }
}

// Numbers do not depend on how many threads share the work, nor on a second run.
TEST_P(TrainingSteps, DoNotDependOnThreads) {
  const Graph step = differentiate(graph_of(GetParam()));
  const Weights weights = weights_of(step);
  const TokenBatch batch = batch_of({{{0, 20}, {0, 9}}});
  Float32Executor one(step, weights, {.threads = 1}), four(step, weights, {.threads = 4});
  const auto a = one.run(batch), b = four.run(batch), c = four.run(batch);
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].values, b[i].values) << step.outputs()[i].name;
    EXPECT_EQ(a[i].values, c[i].values) << step.outputs()[i].name;
  }
}

// What count plans for a step of training is what a step holds, layers kept or computed again.
TEST_P(TrainingSteps, HoldWhatIsPlanned) {
  CountOptions options;
  options.tokens = 24;
  options.sequences = 2;
  const auto planned = count(GetParam(), options).training;
  const Graph forward = graph_of(GetParam());
  const Weights weights = weights_of(forward);
  const TokenBatch batch = batch_of({{{0, 24}, {0, 24}}});
  int64_t weight_bytes = 0;
  for (const auto& [name, tensor] : weights) weight_bytes += tensor.bytes();
  EXPECT_EQ(planned.weight_bytes, weight_bytes);
  for (const bool recompute : {false, true}) {
    Float32Executor executor(differentiate(forward, {.recompute_layers = recompute}), weights,
                             {.threads = 2});
    executor.run(batch);
    // Where values lie costs no more than what they hold, but for rounding to cache lines.
    const ValueBytes bytes = executor.bytes(batch.size());
    const int64_t activations =
        recompute ? planned.recomputed_activation_bytes : planned.activation_bytes;
    EXPECT_LE(bytes.of_tokens, activations * 1.5);
    EXPECT_LE(bytes.arena, (activations + planned.gradient_bytes) * 1.5);
  }
}

std::string name_of(const ::testing::TestParamInfo<Blueprint>& info) {
  std::string name = info.param.name + "_" + std::to_string(info.index);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Samples, TrainingSteps, ::testing::ValuesIn(sample_blueprints()), name_of);

class RandomTrainingSteps : public ::testing::TestWithParam<uint64_t> {};

TEST_P(RandomTrainingSteps, FastPathsAgreeWithPlainLoops) {
  RandomChoice random(GetParam());
  const int64_t context = random.number(1, random.of({20, 80, 160}));
  Blueprint bp = RandomBlueprint(GetParam()).make(context);
  bp.embedding.vocab += 16;  // what the batch's ids take
  const Graph step = differentiate(graph_of(bp), {.recompute_layers = random.chance(50)});
  const Weights weights = weights_of(step);
  const TokenBatch batch = batch_of({{{0, context}, {0, random.number(1, context)}}}, true);
  const std::string table = random.of(runnable_tables());
  SCOPED_TRACE(table + "\n" + to_json(bp));
  Float32Executor executor(step, weights,
                           {.threads = static_cast<int>(random.number(1, 3)),
                            .kernels = table,
                            .numbers = Numbers::f64});
  // Of 1,000, thirty are so ill-conditioned that rounded values cost more than 1e-3, one 2e-2.
  expect_close(step, executor.run(batch), exact(step, weights, batch), 3e-2);
}
INSTANTIATE_TEST_SUITE_P(Seeds, RandomTrainingSteps,
                         ::testing::Range<uint64_t>(1, ASHLAR_SANITIZED   ? 11
                                                       : test::thorough() ? 1001
                                                                          : 51));

// Every op that has a fast path, by itself, with all of its options.
TEST(Float32Executor, RunsEveryOp) {
  for (const OpEntry& entry : all_ops()) {
    for (const OpSample& s : entry.samples()) {
      SCOPED_TRACE(entry.doc->name);
      const auto results = s.op.types(s.inputs);
      for (size_t r = 0; r < results.size(); ++r) {
        const Graph graph = graph_around(s.op, s.inputs, r);
        const Weights weights = weights_of(graph);
        const TokenBatch batch = batch_of({{{0, 9}, {0, 4}}}, true);
        Float32Executor executor(graph, weights, {.threads = 2});
        const auto found = executor.run(batch);
        const auto expected = exact(graph, weights, batch);
        expect_close(graph, found, expected, 1e-5);
        EXPECT_EQ(found[0].indices, expected[0].indices);
      }
    }
  }
}

TEST(Float32Executor, RefusesWeightsThatDoNotFit) {
  const Graph graph = graph_of(qwen_like());
  Weights weights = weights_of(graph);
  weights.erase("layers.1.attn.q");
  EXPECT_THROW(Float32Executor(graph, weights), Error);
}

}  // namespace
}  // namespace ashlar::testing
