// Bytes planned are bytes allocated: counts and plans against the engine, for every family.
#include <gtest/gtest.h>

#include <map>

#include "../blueprint/samples.h"
#include "ashlar/count.h"
#include "ashlar/plan.h"
#include "model/model.h"
#include "readings/plan_work.h"

namespace ashlar::testing {
namespace {

Weights zeros(const Graph& graph) {
  Weights weights;
  for (const Param& p : graph.params()) {
    std::byte* data = nullptr;
    weights[p.name] = make_tensor(Format::f32, {p.rows(), p.cols()}, &data);
  }
  return weights;
}

/// One released model of each family, its attention as it is, the rest small: what sequences
/// remember is what it really is.
std::vector<Blueprint> slim_families() {
  std::map<std::string, Blueprint> by_family;
  for (const std::string& name : blueprint_names()) {
    Blueprint bp = load_blueprint(name);
    const std::string key = bp.family.empty() ? bp.name : bp.family;
    if (by_family.contains(key)) continue;
    bp.blocks.resize(std::min<size_t>(bp.blocks.size(), 7));
    bp.mtp.clear();
    bp.embedding.vocab = 64;
    bp.embedding.width = 32;
    for (Block& b : bp.blocks) {
      if (auto* a = std::get_if<LatentAttentionPart>(&b.mixer))
        a->query_rank = std::min<int64_t>(a->query_rank, 16);
      if (auto* d = std::get_if<DenseFfn>(&b.ffn)) d->width = 32;
      if (auto* e = std::get_if<ExpertFfnPart>(&b.ffn)) {
        e->experts = 8;
        e->top_k = std::min<int64_t>(e->top_k, 2);
        e->width = 32;
        e->router.groups = e->router.keep_groups = 1;
        if (e->shared > 0) e->shared = 32;
        if (e->parallel > 0) e->parallel = 32;
      }
    }
    by_family[key] = bp;
  }
  std::vector<Blueprint> all;
  for (const auto& [key, bp] : by_family) all.push_back(bp);
  return all;
}

struct Case {
  int64_t context, chunk, sequences;
  Format state;
};

void audit(const Blueprint& bp) {
  const Graph graph = graph_of(bp);
  const Weights weights = zeros(graph);
  for (const Case& k :
       {Case{1, 1, 1, Format::f32}, Case{100, 64, 1, Format::f16}, Case{700, 512, 3, Format::bf16},
        Case{5000, 512, 1, Format::f16}, Case{9000, 64, 2, Format::f16}}) {
    // Learned positions end where their table does.
    if (bp.embedding.positions > 0 && k.context > bp.embedding.positions) continue;
    const Engine engine(graph, weights,
                        {.threads = 1,
                         .context = k.context,
                         .sequences = k.sequences,
                         .chunk = k.chunk,
                         .state = k.state});
    const Count c = count(bp, {.tokens = k.chunk,
                               .context = k.context,
                               .sequences = k.sequences,
                               .weights = "f32",
                               .state = k.state});
    EXPECT_EQ(c.state.allocated_bytes, engine.state_bytes()) << bp.name << " " << k.context;
    EXPECT_GE(engine.state_bytes(), c.state.bytes_at_context) << bp.name << " " << k.context;
    Machine machine;
    machine.memory_bytes = 1e12;
    machine.read = {{.bytes_per_second = 1e10}};
    machine.matrix = {{.arithmetic = "f32", .operations_per_second = 1e11}};
    const Prediction p = predict(bp, machine,
                                 {.context = k.context,
                                  .sequences = k.sequences,
                                  .prompt = 1,
                                  .generate = 0,
                                  .chunk = k.chunk,
                                  .weights = "f32",
                                  .state = k.state,
                                  .alternatives = false});
    EXPECT_EQ(p.memory.state, engine.state_bytes()) << bp.name << " " << k.context;
    EXPECT_EQ(p.memory.copies, engine.plan().weights.made_bytes()) << bp.name;
    int64_t bytes = 0;
    for (const auto& [name, tensor] : weights) bytes += tensor.bytes();
    EXPECT_EQ(p.memory.weights, bytes) << bp.name;
    EXPECT_EQ(c.weights.bytes, bytes) << bp.name;
  }
}

TEST(Allocation, Samples) {
  for (const Blueprint& bp : sample_blueprints()) audit(bp);
}

TEST(Allocation, Families) {
  const std::vector<Blueprint> families = slim_families();
  EXPECT_GE(families.size(), 12u);
  for (const Blueprint& bp : families) audit(bp);
}

/// Steps planned, which each cost a barrier, against the steps of the engine's plan: with plain
/// weights, and with packed ones whose inputs have to be prepared.
TEST(Allocation, Steps) {
  for (const Blueprint& bp : slim_families()) {
    const Graph graph = graph_of(bp);
    for (const Format format : {Format::f32, Format::q8_0}) {
      Weights weights = zeros(graph);
      for (const Param& p : graph.params()) {
        std::byte* data = nullptr;
        const bool matrix = p.role == Role::projection || p.role == Role::expert;
        if (matrix && p.cols() % info(format).block_len == 0)
          weights[p.name] = make_tensor(format, {p.rows(), p.cols()}, &data);
      }
      const Engine engine(graph, weights, {.threads = 1, .context = 64, .chunk = 32});
      double planned = 0;
      for (const Work& w : work_of(graph, formats_of(weights), Format::f16, Workload::decode(1), 1,
                                   /*absorbed=*/true))
        planned += w.begins_step ? 1 : 0;
      const auto steps = static_cast<double>(engine.plan().steps.size());
      EXPECT_NEAR(planned, steps, 0.07 * steps) << bp.name << " " << info(format).name;
    }
  }
}

}  // namespace
}  // namespace ashlar::testing
