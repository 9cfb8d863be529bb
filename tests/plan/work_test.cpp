// The work of a plan: tasks are those that are run, parts add up to what the ops state, experts
// count as they are chosen.
#include "plan/work.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/overloaded.h"
#include "plan/tasks.h"
#include "support/random_model.h"
#include "support/samples.h"

namespace ashlar {
namespace {

Plan plan_of(const Graph& graph) {
  return make_plan(graph, testing::random_weights(graph), kernels::table(), 256);
}

TEST(Work, ProductsAreCutOverTheirRowsAndTokens) {
  MatMulStep step;
  const ProductForms forms(kernels::table("generic"), Format::f32, false);
  step.products.push_back({.w = {.rows = 1000, .cols = 8}, .forms = forms});
  step.products.push_back({.w = {.rows = 24, .cols = 8}, .forms = forms});
  for (const int threads : {1, 2, 7, 64}) {
    for (const int64_t tokens : {1, 63, 64, 128, 1000}) {
      const ProductTasks cut = tasks_of(step, tokens, threads);
      EXPECT_EQ(count_tasks(step, tokens, threads),
                (cut.row_blocks(1000) + cut.row_blocks(24)) * cut.token_blocks);
      EXPECT_EQ(cut.token_begin(tokens, 0), 0);
      EXPECT_EQ(cut.token_begin(tokens, cut.token_blocks), tokens);
      for (int64_t b = 0; cut.token_blocks > 1 && b < cut.token_blocks; ++b)
        EXPECT_GE(cut.token_begin(tokens, b + 1) - cut.token_begin(tokens, b),
                  kernels::kLeastTokenBlock);
    }
  }
  // Few rows and many threads: tokens are split as well.
  step.products.resize(1);
  step.products[0].w.rows = 4;
  EXPECT_EQ(tasks_of(step, 512, 16).token_blocks, 8);
  EXPECT_EQ(tasks_of(step, 512, 1).token_blocks, 1);
  step.epilogue.kind = Epilogue::Kind::gated;
  step.products.push_back(step.products[0]);
  EXPECT_EQ(count_tasks(step, 1, 1), 4);  // one task computes both
}

std::set<BufferId> written_by(const RowOperation& operation) {
  return std::visit(Overloaded{[](const RopeRow& o) { return std::set{o.x}; },
                               [](const StoreRow&) { return std::set<BufferId>(); },
                               [](const RouteRow& o) {
                                 return std::set{o.weights, o.experts};
                               },
                               [](const auto& o) { return std::set{o.out}; }},
                    operation);
}

/// Threads may take the chains of a row at once: each operation is in one, in order, and what it
/// writes no other chain touches.
TEST(Work, ChainsOfRowStepsTouchNothingOfEachOther) {
  size_t most = 0;
  for (const Blueprint& bp : testing::sample_blueprints()) {
    const Plan plan = plan_of(graph_of(bp));
    for (const Step& step : plan.steps) {
      const auto* rows = std::get_if<RowStep>(&step.what);
      if (rows == nullptr) continue;
      std::vector<int32_t> chain_of(rows->operations.size(), -1);
      for (size_t c = 0; c < rows->chains.size(); ++c) {
        EXPECT_TRUE(std::is_sorted(rows->chains[c].begin(), rows->chains[c].end()));
        for (const int32_t i : rows->chains[c]) {
          EXPECT_EQ(std::exchange(chain_of[static_cast<size_t>(i)], static_cast<int32_t>(c)), -1);
        }
      }
      for (size_t i = 0; i < chain_of.size(); ++i) {
        ASSERT_GE(chain_of[i], 0) << step.name;
        const std::set<BufferId> written = written_by(rows->operations[i]);
        for (size_t j = 0; j < chain_of.size(); ++j) {
          if (chain_of[i] == chain_of[j]) continue;
          Step other;
          other.what = RowStep{{rows->operations[j]}, {}, {}};
          for (const BufferId id : buffers_of(other))
            EXPECT_FALSE(written.contains(id)) << step.name;
        }
      }
      most = std::max(most, rows->chains.size());
      const auto chains = static_cast<int64_t>(rows->chains.size());
      EXPECT_EQ(tasks_of(*rows, 1, 2).count(1), chains);
      EXPECT_EQ(tasks_of(*rows, 3, 4).count(3), 3 * chains);
      EXPECT_EQ(tasks_of(*rows, 1, 1).count(1), 1);
      EXPECT_EQ(tasks_of(*rows, 2, 2).count(2), 2);
    }
  }
  EXPECT_GE(most, 2u);  // queries beside keys
}

/// Every plan's steps have the parts that their kinds have, and none without tokens.
TEST(Work, StepsHaveTasksAndPartsOfTheirNodes) {
  for (const Blueprint& bp : testing::sample_blueprints()) {
    const Plan plan = plan_of(graph_of(bp));
    const std::vector<StepWork> work =
        work_of(plan, {.all = Workload::prefill(20), .wanted = 0, .threads = 3});
    ASSERT_EQ(work.size(), plan.steps.size());
    for (size_t i = 0; i < work.size(); ++i) {
      EXPECT_EQ(work[i].tasks > 0, plan.steps[i].rows == RowSet::all) << plan.steps[i].name;
      EXPECT_EQ(work[i].activation_bytes > 0, work[i].tasks > 0) << plan.steps[i].name;
      const std::set<NodeId> nodes(plan.steps[i].nodes.begin(), plan.steps[i].nodes.end());
      for (const Work& w : work[i].parts) EXPECT_TRUE(nodes.contains(w.node));
    }
  }
}

/// Where every token goes through the same experts, those are read; on average more are.
TEST(Work, ExpertsAreReadAsTheyAreChosen) {
  const Plan plan = plan_of(graph_of(testing::deepseek_like()));
  const auto expert_bytes = [&](int64_t tokens, std::optional<int64_t> active) {
    double bytes = 0;
    for (const StepWork& step :
         work_of(plan, {.all = Workload::decode(5, tokens), .active_experts = active})) {
      for (const Work& w : step.parts)
        if (w.what == Work::What::experts) bytes += w.weight_bytes;
    }
    return bytes;
  };
  int64_t experts = 0, chosen = 0;
  for (const Step& s : plan.steps) {
    if (const auto* e = std::get_if<ExpertStep>(&s.what)) experts = e->experts, chosen = e->chosen;
  }
  ASSERT_GT(experts, chosen);
  EXPECT_EQ(expert_bytes(1, {}), expert_bytes(1, chosen));
  EXPECT_EQ(expert_bytes(7, chosen), expert_bytes(1, {}));
  EXPECT_GT(expert_bytes(7, {}), expert_bytes(7, chosen));
  EXPECT_LT(expert_bytes(7, {}), expert_bytes(7, experts));
}

/// Steps of so many tokens that they read panels read all of those that were made, and no rows.
TEST(Work, PackedWeightsAreReadAsPanels) {
  const ProductForms forms(kernels::table(), Format::f32, false, true);
  if (forms.at(32).packing != kernels::Packing::panels)
    GTEST_SKIP() << "the kernels of this CPU keep no panels";
  const Graph graph = graph_of(testing::sample_blueprints().front());
  const Plan plan = make_plan(graph, testing::random_weights(graph), kernels::table(), 64,
                              {.packed_weights = true});
  const auto packed_bytes = [&](int64_t tokens) {
    double bytes = 0;
    for (const StepWork& step :
         work_of(plan, {.all = Workload::prefill(tokens), .wanted = tokens, .threads = 2}))
      for (const Work& w : step.parts) bytes += w.packed ? w.weight_bytes : 0;
    return static_cast<int64_t>(bytes);
  };
  EXPECT_EQ(packed_bytes(32), plan.weights.made_bytes(WeightForm::panels));
  EXPECT_EQ(packed_bytes(1), 0);
}

/// Weights that are not there plan as those that are.
TEST(Work, WeightlessPlansAreTheSame) {
  for (const Blueprint& bp : testing::sample_blueprints()) {
    const Graph graph = graph_of(bp);
    const Weights weights = testing::random_weights(graph, 1, Format::bf16);
    const Weights none =
        weightless(graph, [&](const Param& p) { return weights.at(p.name).format; });
    const BatchLoad load{.all = Workload::prefill(40), .wanted = 3, .threads = 2};
    const auto with = work_of(make_plan(graph, weights, kernels::table(), 64), load);
    const auto without = work_of(make_plan(graph, none, kernels::table(), 64), load);
    ASSERT_EQ(with.size(), without.size());
    for (size_t i = 0; i < with.size(); ++i) {
      EXPECT_EQ(with[i].tasks, without[i].tasks);
      EXPECT_EQ(with[i].activation_bytes, without[i].activation_bytes);
      ASSERT_EQ(with[i].parts.size(), without[i].parts.size());
      for (size_t j = 0; j < with[i].parts.size(); ++j) {
        const Work &a = with[i].parts[j], &b = without[i].parts[j];
        EXPECT_EQ(a.operations, b.operations);
        EXPECT_EQ(a.weight_bytes, b.weight_bytes);
        EXPECT_EQ(a.state_bytes, b.state_bytes);
        EXPECT_EQ(a.numbers, b.numbers);
      }
    }
  }
}

}  // namespace
}  // namespace ashlar
