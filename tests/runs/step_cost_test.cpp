// Costs of a step: what is planned is what is allocated, and JSON as documented.
#include "runs/step_cost.h"

#include <gtest/gtest.h>

#include "readings/count/count.h"
#include "runs/fit.h"
#include "support/errors.h"
#include "support/samples.h"
#include "support/schema.h"

namespace ashlar::testing {
namespace {

TEST(StepCost, PlansWhatIsAllocated) {
  const Graph graph = graph_of(qwen_like());
  for (const bool recompute : {false, true}) {
    const StepCostOptions options{
        .sequences = 3, .length = 20, .precision = "f32", .recompute = recompute, .steps = 1};
    const StepMeasurement m = measure_step(graph, options);
    const StepPlan p = plan_step(graph, options);
    const StepMemory& planned = (recompute ? p.recomputed : p.kept).memory;
    EXPECT_EQ(m.memory.planned, m.memory.activations);
    EXPECT_EQ(planned.activations, m.memory.activations);
    EXPECT_EQ(planned.weights, 4 * graph.parameter_count());
    EXPECT_EQ(planned.moments, 2 * planned.weights);
    EXPECT_GE(p.recomputed.largest_batch, p.kept.largest_batch);
    EXPECT_GT(p.kept.largest_batch, options.sequences);
    double operations = 0;
    for (const OpCost& op : m.ops) operations += op.operations;
    EXPECT_DOUBLE_EQ(operations, m.operations);
  }
}

// The layer for multi-token prediction and its loss are part of the step that trains them.
TEST(StepCost, HasTheLayerForMultiTokenPrediction) {
  const Blueprint bp = deepseek_like();
  const Graph plain = trained_graph(bp, false), graph = trained_graph(bp, true);
  const StepCostOptions without{.sequences = 3, .length = 20, .precision = "f32", .steps = 1};
  StepCostOptions with = without;
  with.mtp = true;
  const StepMeasurement m = measure_step(graph, with), usual = measure_step(plain, without);
  const StepPlan p = plan_step(graph, with);
  EXPECT_EQ(p.kept.memory.activations, m.memory.activations);
  EXPECT_EQ(p.kept.memory.weights - plan_step(plain, without).kept.memory.weights,
            4 * count(bp).parameters.mtp);
  // What is counted is what the step performs, with it and without; ops that are lowered otherwise
  // than they are counted are the same in both.
  const auto counted = [&](bool mtp) {
    return count(bp, {.tokens = 20, .context = 20, .sequences = 3, .mtp = mtp}).training.flops;
  };
  EXPECT_GT(m.operations, 1.2 * usual.operations);
  EXPECT_NEAR(m.operations / usual.operations, counted(true) / counted(false), 0.02);
  EXPECT_NE(measurement_text(m).find("with multi-token prediction"), std::string::npos);
}

// What a run asks before it takes memory: as the executor then takes it, recomputed where memory
// asks for that, and with a batch that fits where it does not.
TEST(StepCost, ChoosesWhatFits) {
  const Graph graph = graph_of(qwen_like());
  TrainSettings settings;
  settings.batch = {.sequences = 64, .length = 32, .micro = 64};
  const auto bytes = [&](bool recompute, int64_t sequences) {
    return bytes_of_step(graph, {.threads = 1, .differentiate = {.recompute_layers = recompute}},
                         settings, sequences);
  };
  const auto fits = [&](std::optional<bool> wanted, int64_t free) {
    return fitting_recomputation(graph, {.threads = 1}, settings, wanted, free, "small");
  };
  const int64_t kept = bytes(false, 64), again = bytes(true, 64);
  ASSERT_LT(again, kept);
  EXPECT_FALSE(fits({}, kept));
  EXPECT_TRUE(fits({}, kept - 1));
  EXPECT_TRUE(fits({}, again));
  EXPECT_TRUE(fits(true, kept));
  expect_error([&] { fits(false, kept - 1); }, "write \"batch\": {\"micro\": 63}");
  const int64_t half = bytes(true, 32);
  expect_error([&] { fits({}, half); }, "write \"batch\": {\"micro\": 32}");
  expect_error([&] { fits({}, 1000); }, "choose a smaller model");
  EXPECT_EQ(largest_fitting([](int64_t n) { return n * n; }, 48, 1000), 6);
  EXPECT_EQ(largest_fitting([](int64_t n) { return n * n; }, 0, 1000), 0);
  EXPECT_EQ(largest_fitting([](int64_t n) { return n; }, 1000, 7), 7);
}

TEST(StepCost, PrintsWhatIsDocumented) {
  const Graph graph = graph_of(gpt2_like());
  const StepCostOptions options{.sequences = 2, .length = 9, .steps = 1};
  EXPECT_EQ(schema_differences(Json(measure_step(graph, options)).dump(2), "bench --train"),
            std::vector<std::string>{});
  EXPECT_EQ(schema_differences(Json(plan_step(graph, options)).dump(2), "plan --train"),
            std::vector<std::string>{});
  EXPECT_FALSE(measurement_text(measure_step(graph, options)).empty());
}

TEST(StepCost, RefusesWhatDoesNotFit) {
  const Graph graph = graph_of(gpt2_like());
  expect_error([&] { measure_step(graph, {.length = 33}); }, "learned positions");
  expect_error([&] { plan_step(graph, {.precision = "f16"}); }, "precision: expected f32 or bf16");
}

}  // namespace
}  // namespace ashlar::testing
