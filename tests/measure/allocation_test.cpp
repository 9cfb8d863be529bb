// Bytes planned are bytes allocated: counts and plans against the engine, for every family.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <map>

#include "base/mapped_memory.h"
#include "model/model.h"
#include "plan/work.h"
#include "readings/count/count.h"
#include "readings/predict/planned_graph.h"
#include "readings/predict/predict.h"
#include "support/samples.h"
#include "support/sanitized.h"
#include "support/thorough.h"

namespace ashlar::testing {
namespace {

Weights zeros(const Graph& graph, const WeightFormats& formats) {
  Weights weights;
  for (const Param& p : graph.params()) {
    std::byte* data = nullptr;
    weights[p.name] = make_tensor(formats(p), {p.rows(), p.cols()}, &data);
  }
  return weights;
}

/// One released model of each family, its attention as it is, the rest small: what sequences
/// remember is what it really is.
std::vector<Blueprint> slim_families(size_t layers = 7, int64_t width = 32) {
  std::map<std::string, Blueprint> by_family;
  for (const std::string& name : blueprint_names()) {
    Blueprint bp = load_blueprint(name);
    const std::string key = bp.family.empty() ? bp.name : bp.family;
    if (by_family.contains(key)) continue;
    bp.blocks.resize(std::min(bp.blocks.size(), layers));
    bp.mtp.clear();
    bp.embedding.vocab = 64;
    bp.embedding.width = width;
    for (Block& b : bp.blocks) {
      if (auto* a = std::get_if<LatentAttentionPart>(&b.mixer))
        a->query_rank = std::min<int64_t>(a->query_rank, width);
      if (auto* d = std::get_if<DenseFfn>(&b.ffn)) d->width = width;
      if (auto* e = std::get_if<ExpertFfnPart>(&b.ffn)) {
        e->experts = 8;
        e->top_k = std::min<int64_t>(e->top_k, 2);
        e->width = width;
        e->router.groups = e->router.keep_groups = 1;
        if (e->shared > 0) e->shared = width;
        if (e->parallel > 0) e->parallel = width;
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
  int threads;
};

constexpr Case kCases[] = {
    {1, 1, 1, Format::f32, 1},      {100, 64, 1, Format::f16, 2},  {700, 512, 3, Format::bf16, 1},
    {5000, 512, 1, Format::f16, 3}, {9000, 64, 2, Format::f16, 1}, {300, 1, 9, Format::f32, 2},
    {30, 1024, 2, Format::bf16, 1},
};

Machine machine_of(int threads) {
  Machine machine;
  machine.threads = threads;
  machine.memory_bytes = 1e12;
  machine.read = {{.bytes_per_second = 1e10}};
  machine.matrix = {{.arithmetic = "f32", .operations_per_second = 1e11}};
  return machine;
}

void audit(const Blueprint& bp, const std::string& format) {
  const Graph graph = graph_of(bp);
  const Weights weights = zeros(graph, weight_formats(format, bp));
  int64_t weight_bytes = 0;
  for (const auto& [name, tensor] : weights) weight_bytes += tensor.bytes();
  for (const Case& k : kCases) {
    // Learned positions end where their table does.
    if (bp.embedding.positions > 0 && k.context > bp.embedding.positions) continue;
    const std::string what =
        fmt::format("{} {}, context {}, chunk {}", bp.name, format, k.context, k.chunk);
    const Engine engine(graph, weights,
                        {.threads = k.threads,
                         .context = k.context,
                         .sequences = k.sequences,
                         .chunk = k.chunk,
                         .state = k.state});
    const Count c = count(bp, {.tokens = k.chunk,
                               .context = k.context,
                               .sequences = k.sequences,
                               .weights = format,
                               .state = k.state,
                               .training = false,
                               .threads = k.threads});
    EXPECT_EQ(c.weights.bytes, weight_bytes) << what;
    EXPECT_EQ(c.state.allocated_bytes, engine.state_bytes()) << what;
    EXPECT_GE(engine.state_bytes(), c.state.bytes_at_context) << what;
    EXPECT_EQ(c.activations.allocated_bytes, engine.activation_bytes()) << what;
    EXPECT_EQ(c.activations.copied_bytes, engine.plan().weights.made_bytes()) << what;
    const Prediction p = predict(bp, machine_of(k.threads),
                                 {.context = k.context,
                                  .sequences = k.sequences,
                                  .prompt = 1,
                                  .generate = 0,
                                  .chunk = k.chunk,
                                  .weights = format,
                                  .state = k.state,
                                  .alternatives = false});
    EXPECT_EQ(p.memory.weights, weight_bytes) << what;
    EXPECT_EQ(p.memory.state, engine.state_bytes()) << what;
    EXPECT_EQ(p.memory.activations, engine.activation_bytes()) << what;
    EXPECT_EQ(p.memory.copies, engine.plan().weights.made_bytes()) << what;
  }
}

TEST(Allocation, Samples) {
  for (const Blueprint& bp : sample_blueprints()) {
    for (const char* format : {"f32", "bf16"}) audit(bp, format);
  }
}

TEST(Allocation, Families) {
  const std::vector<Blueprint> families = slim_families();
  EXPECT_GE(families.size(), 12u);
  for (const Blueprint& bp : families) {
    audit(bp, "f32");
    if (test::thorough()) audit(bp, "int4_g32");
  }
}

/// Blocks of 128 and 256 values, and mixes of several formats.
TEST(Allocation, FormatsOfLongBlocks) {
  for (const Blueprint& bp : slim_families(2, 256)) {
    for (const char* format : {"q4_k_m", "q8_0", "mxfp4", "fp8_b128"}) {
      audit(bp, format);
      if (!test::thorough()) break;
    }
  }
}

#if defined(__GLIBC__) && !ASHLAR_SANITIZED
/// What the C library hands out while an engine is made is what was planned: nothing is allocated
/// that the plan does not know of, but for the plan's own lists.
TEST(Allocation, AgainstTheHeap) {
  const auto held = [] {
    const struct mallinfo2 m = mallinfo2();
    return static_cast<int64_t>(m.uordblks + m.hblkhd) + MappedMemory::total();
  };
  constexpr int64_t kLists = 4 << 20;
  for (const Blueprint& bp : slim_families()) {
    const Graph graph = graph_of(bp);
    const WeightFormats formats = weight_formats("bf16", bp);
    const Weights weights = zeros(graph, formats);
    const int64_t context = bp.embedding.positions > 0 ? bp.embedding.positions : 20000;
    const Count c = count(bp, {.tokens = 2048,
                               .context = context,
                               .sequences = 4,
                               .formats = formats,
                               .training = false,
                               .threads = 2});
    const int64_t before = held();
    const Engine engine(graph, weights,
                        {.threads = 2, .context = context, .sequences = 4, .chunk = 2048});
    const int64_t allocated = held() - before;
    const int64_t planned =
        c.state.allocated_bytes + c.activations.allocated_bytes + c.activations.copied_bytes;
    EXPECT_GE(allocated, planned) << bp.name;
    EXPECT_LE(allocated, planned + kLists) << bp.name;
    EXPECT_GT(planned, 5 * kLists) << bp.name;
  }
}
#endif

/// Steps, bytes and operations predicted are those of the engine's steps, for prompts and decoding,
/// with plain weights and with packed ones whose inputs have to be prepared.
TEST(Allocation, StepsAndTheirWork) {
  for (const Blueprint& bp : slim_families()) {
    const Graph graph = graph_of(bp);
    for (const Format format : {Format::f32, Format::q8_0}) {
      Weights weights = zeros(graph, weight_formats("f32", bp));
      for (const Param& p : graph.params()) {
        std::byte* data = nullptr;
        const bool matrix = p.role == Role::projection || p.role == Role::expert;
        if (matrix && p.cols() % info(format).block_len == 0)
          weights[p.name] = make_tensor(format, {p.rows(), p.cols()}, &data);
      }
      PlannedGraph planned(graph);
      Engine engine(graph, weights,
                    {.threads = 2, .context = 64, .chunk = 32, .state = Format::f16});
      const SequenceId sequence = *engine.open();
      const std::vector<TokenId> ids{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
      for (const size_t tokens : {ids.size(), size_t{1}}) {
        const ashlar::Run run{sequence, std::span(ids).first(tokens)};
        const int64_t first = engine.length(sequence);
        engine.profile(true);
        engine.step({&run, 1});
        const PredictOptions o{.context = 64,
                               .depth = first,
                               .prompt = static_cast<int64_t>(tokens),
                               .generate = 0,
                               .chunk = 32,
                               .formats = formats_of(weights),
                               .alternatives = false};
        const Phase phase = predict(bp, machine_of(2), o).prefill;
        const std::string what =
            fmt::format("{} {}, {} tokens", bp.name, info(format).name, tokens);
        double steps = 0, operations = 0, weight_bytes = 0;
        bool experts = false;
        for (const StepProfile& p : engine.profile()) {
          steps += static_cast<double>(p.calls);
          operations += static_cast<double>(p.operations);
          weight_bytes += static_cast<double>(p.weight_bytes);
          experts = experts || p.op == "expert_ffn";
        }
        // Which experts tokens choose is the model's affair where there is more than one token.
        const bool sure = !experts || tokens == 1;
        double planned_steps = 0, planned_operations = 0, planned_bytes = 0;
        for (const StepWork& step :
             work_of(planned.plan(o.formats, engine_options(machine_of(2), o), LatentForm::absorbed)
                         .plan,
                     {.all = Workload::prefill(o.prompt, first)})) {
          planned_steps += step.tasks > 0 ? 1 : 0;
          for (const Work& w : step.parts) {
            planned_operations += static_cast<double>(w.operations);
            planned_bytes += w.weight_bytes;
          }
        }
        EXPECT_EQ(planned_steps, steps) << what;
        EXPECT_EQ(planned_operations, operations) << what;
        if (sure) {
          EXPECT_EQ(planned_bytes, weight_bytes) << what;
        }
        if (phase.latents == "expanded") continue;  // not the engine's plan
        EXPECT_EQ(phase.steps, steps) << what;
        EXPECT_EQ(phase.operations, operations) << what;
        if (sure) {
          EXPECT_EQ(phase.weight_bytes, weight_bytes) << what;
        }
      }
    }
  }
}

}  // namespace
}  // namespace ashlar::testing
