// Plans: every node is computed by some step, memory is never shared by values that are alive
// together, and fusion happens where it pays.
#include "plan/plan.h"

#include <gtest/gtest.h>

#include <set>

#include "ops/elementwise.h"
#include "support/random_model.h"
#include "support/samples.h"

namespace ashlar {
namespace {

Plan plan_of(const Graph& graph, int64_t tokens = 16, std::string_view table = "generic",
             Format format = Format::f32) {
  return make_plan(graph, testing::random_weights(graph, 1, format), kernels::table(table), tokens);
}

TEST(Plan, StepsCoverEveryNode) {
  for (const Blueprint& bp : testing::sample_blueprints()) {
    const Plan plan = plan_of(graph_of(bp));
    std::set<NodeId> covered;
    for (const Step& s : plan.steps) covered.insert(s.nodes.begin(), s.nodes.end());
    for (const NodeId i : plan.graph.nodes().ids()) {
      const Node& n = plan.graph.nodes()[i];
      if (covered.contains(i)) continue;
      // What moves no number or is folded into the product before it has no step of its own.
      EXPECT_TRUE(n.op.as<Rename>() != nullptr || n.op.as<Gated>() != nullptr ||
                  n.op.as<Activate>() != nullptr)
          << bp.name << ": " << n.scope << "." << n.label << " " << n.op.name();
    }
  }
}

TEST(Plan, BuffersAliveTogetherDoNotOverlap) {
  for (const Blueprint& bp : testing::sample_blueprints()) {
    for (const int64_t tokens : {1, 16, 100}) {
      const Plan plan = plan_of(graph_of(bp), tokens, kernels::table().name);
      int64_t end = 0;
      for (const BufferId i : plan.buffers.ids()) {
        const Buffer& a = plan.buffers[i];
        if (a.first < 0 || a.output >= 0) continue;
        const int64_t a_end = a.offset + a.row_bytes * (a.fixed ? 1 : tokens);
        EXPECT_EQ(a.offset % 64, 0);
        end = std::max(end, a_end);
        for (const BufferId j : plan.buffers.ids()) {
          if (j == i) break;
          const Buffer& b = plan.buffers[j];
          if (b.first < 0 || b.output >= 0 || b.last < a.first || a.last < b.first) continue;
          const int64_t b_end = b.offset + b.row_bytes * (b.fixed ? 1 : tokens);
          EXPECT_TRUE(a_end <= b.offset || b_end <= a.offset)
              << bp.name << " " << i.index() << " " << j.index();
        }
      }
      EXPECT_EQ(plan.arena_bytes, end);
    }
  }
}

TEST(Plan, ArenaIsFarSmallerThanAllValues) {
  const Plan plan = plan_of(graph_of(testing::gemma_like()), 64);
  int64_t all = 0;
  for (const Buffer& b : plan.buffers) all += b.row_bytes * 64;
  EXPECT_LT(plan.arena_bytes * 10, all);
}

TEST(Plan, ALayerIsFewSteps) {
  // Per layer: norms and quantising, q+k+v, norms and rotations and state, attention, quantising,
  // o, norms and residual, gate+up with its activation, quantising, down.
  const auto steps = [](const Graph& g) {
    return static_cast<int64_t>(plan_of(g, 16, kernels::table().name, Format::q8_0).steps.size());
  };
  const auto per_layer = [&](Blueprint bp) {
    bp.blocks.resize(2);
    const int64_t two = steps(graph_of(bp));
    bp.blocks.push_back(bp.blocks.back());
    return steps(graph_of(bp)) - two;
  };
  Blueprint wide = testing::gemma_like();
  wide.embedding.width = 64;
  for (Block& b : wide.blocks) {
    std::get<AttentionPart>(b.mixer).head_dim = 32;
    std::get<DenseFfn>(b.ffn).width = 128;
  }
  EXPECT_LE(per_layer(wide), 10);
  EXPECT_LE(per_layer(testing::qwen_like()), 10);
}

TEST(Plan, OnlyWantedRowsPassTheLastAttention) {
  for (const Blueprint& bp : testing::sample_blueprints()) {
    const Plan plan = plan_of(graph_of(bp));
    bool wanted = false;
    for (const Step& s : plan.steps) {
      EXPECT_TRUE(!wanted || s.rows == RowSet::wanted) << bp.name << ": " << s.name;
      wanted = wanted || s.rows == RowSet::wanted;
    }
    EXPECT_TRUE(wanted);
  }
}

TEST(Plan, StatesAreThoseOfTheGraph) {
  for (const Blueprint& bp : testing::sample_blueprints()) {
    const Graph graph = graph_of(bp);
    const Plan plan = plan_of(graph);
    const auto expected = states_of(graph);
    ASSERT_EQ(plan.states.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(plan.states[i].spec.kind, expected[i].spec.kind);
      const StatePlan& s = plan.states[i];
      EXPECT_EQ(s.latent ? s.k_dim : s.heads * (s.k_dim + s.v_dim), expected[i].spec.width());
    }
  }
}

TEST(Plan, UnknownCompositesAreExpanded) {
  // A latent attention whose projections are computed values, not parameters.
  const Graph graph = graph_of(testing::deepseek_like()).expanded("latent_attention");
  const Plan plan = plan_of(graph);
  for (const Node& n : plan.graph.nodes()) EXPECT_NE(n.op.name(), "latent_attention");
  EXPECT_FALSE(plan.steps.empty());
}

}  // namespace
}  // namespace ashlar
