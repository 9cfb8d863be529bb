// Costs of a step: what is planned is what is allocated, and JSON as documented.
#include "runs/step_cost.h"

#include <gtest/gtest.h>

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
    const StepMemory& planned = recompute ? p.recomputed : p.kept;
    EXPECT_EQ(m.planned_bytes, m.arena_bytes);
    EXPECT_EQ(planned.activations, m.arena_bytes);
    EXPECT_EQ(planned.weights, 4 * graph.parameter_count());
    EXPECT_EQ(planned.moments, 2 * planned.weights);
    EXPECT_GE(p.largest_recomputed, p.largest);
    EXPECT_GT(p.largest, options.sequences);
    double operations = 0;
    for (const OpCost& op : m.ops) operations += op.operations;
    EXPECT_DOUBLE_EQ(operations, m.operations);
  }
}

TEST(StepCost, PrintsWhatIsDocumented) {
  const Graph graph = graph_of(gpt2_like());
  const StepCostOptions options{.sequences = 2, .length = 9, .steps = 1};
  EXPECT_EQ(schema_differences(measurement_json(measure_step(graph, options)), "bench --train"),
            std::vector<std::string>{});
  EXPECT_EQ(schema_differences(step_plan_json(plan_step(graph, options)), "plan --train"),
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
