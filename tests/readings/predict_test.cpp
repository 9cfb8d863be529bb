// Predictions held against arithmetic done by hand, and the library of machines.
#include "readings/predict/predict.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"
#include "blueprint/card.h"
#include "ops/attention.h"
#include "plan/work.h"
#include "readings/predict/planned_graph.h"
#include "support/paths.h"
#include "support/samples.h"
#include "support/schema.h"

namespace ashlar::testing {
namespace {

Blueprint released(const std::string& name) {
  return load_blueprint(source_dir() + "/blueprints/" + name + ".json");
}
Machine library(const std::string& name) {
  return load_machine(source_dir() + "/machines/" + name + ".json");
}

/// Reads 1 GB/s and computes 1 TFLOP/s: bandwidth is all that counts.
Machine slow_memory() {
  Machine m;
  m.name = "slow";
  m.source = "measured";
  m.memory_bytes = 1e9;
  m.read = {{.bytes_per_second = 1e9}};
  m.matrix = {{.arithmetic = "f32", .operations_per_second = 1e12}};
  return m;
}

TEST(Predict, DecodeIsBytesOverBandwidth) {
  const Blueprint bp = qwen_like();
  const Count c = count(bp, {.context = 101, .weights = "f32"});
  const Prediction p = predict(bp, slow_memory(), {.prompt = 100, .generate = 0, .weights = "f32"});
  // All weights but norms (which nobody waits for), one row of the table, and the state.
  const double norms = 4.0 * static_cast<double>(c.parameters.by_kind.at("norm") + 2 * 3 * 6);
  const double weights = static_cast<double>(c.weights.bytes) - norms + 12 * 4;
  EXPECT_NEAR(p.decode.weight_bytes, weights, 1);
  EXPECT_NEAR(p.decode.state_bytes, 101.0 * 3 * 2 * 12 * 2, 1);
  EXPECT_NEAR(p.decode.limit.seconds, (p.decode.weight_bytes + p.decode.state_bytes) / 1e9, 2e-8);
  EXPECT_EQ(p.decode.limit.bound_by, "bandwidth");
  EXPECT_FALSE(p.decode.today.has_value());
}

TEST(Predict, ComputeAndStepsBound) {
  Machine m = slow_memory();
  m.read[0].bytes_per_second = 1e15;
  const Blueprint bp = qwen_like();
  const Prediction compute = predict(bp, m, {.prompt = 50, .generate = 0});
  EXPECT_EQ(compute.prefill.limit.bound_by, "compute");
  m.step_seconds = 1;
  const Prediction steps = predict(bp, m, {.prompt = 50, .generate = 0});
  EXPECT_EQ(steps.prefill.limit.bound_by, "steps");
  EXPECT_NEAR(steps.prefill.limit.seconds, steps.prefill.steps, 0.01);
}

TEST(Predict, PromptInChunksReadsWeightsAgain) {
  const Blueprint bp = qwen_like();
  const Prediction one = predict(bp, slow_memory(), {.prompt = 64, .generate = 0, .chunk = 64});
  const Prediction two = predict(bp, slow_memory(), {.prompt = 64, .generate = 0, .chunk = 32});
  EXPECT_GT(two.prefill.weight_bytes, 1.5 * one.prefill.weight_bytes);
}

/// A prediction counts the operations that counting counts: those of the plan that stands for the
/// graph as it is, which for latent attention is the expanded one.
TEST(Predict, OperationsAreThoseOfCounts) {
  for (const Blueprint& bp : sample_blueprints()) {
    PlannedGraph planned(graph_of(bp));
    const auto operations = [&](const Workload& load, LatentForm latents) {
      int64_t n = 0;
      for (const StepWork& step : work_of(planned.plan(weight_formats("f32", bp), {}, latents).plan,
                                          {.all = load, .wanted = load.tokens()})) {
        for (const Work& w : step.parts) n += w.operations;
      }
      return static_cast<double>(n);
    };
    const Count c = count(bp, {.context = 9, .training = false});
    const LatentForm form = planned.has_latents() ? LatentForm::expanded : LatentForm::absorbed;
    EXPECT_EQ(operations(Workload::decode(9), form), c.flops_per_token.decode) << bp.name;
    EXPECT_EQ(operations(Workload::prefill(9), form), 9 * c.flops_per_token.prefill) << bp.name;
    if (planned.has_latents()) {
      EXPECT_NE(operations(Workload::decode(9), LatentForm::absorbed), c.flops_per_token.decode);
      EXPECT_EQ(planned.plans(), 2u);
    }
  }
}

/// The limit takes the faster form of latent attention and says which; the engine's is absorbed.
TEST(Predict, SaysWhichFormOfLatentAttentionTheLimitIs) {
  EXPECT_EQ(predict(qwen_like(), slow_memory()).decode.latents, "");
  const Blueprint bp = released("deepseek-v3");
  const Machine m = library("h100-sxm");
  PredictOptions o{.prompt = 2048, .chunk = 2048, .alternatives = false};
  EXPECT_EQ(predict(bp, m, o).prefill.latents, "expanded");  // few operations count
  o.decode_from = 32768;
  const Prediction deep = predict(bp, m, o);
  EXPECT_EQ(deep.decode.latents, "absorbed");  // few bytes count
  EXPECT_EQ(deep.decode.state_bytes, 61.0 * 32833 * 2 * 576);
}

/// Equal steps are looked at once: their sum is that of all steps.
TEST(Predict, EqualStepsStandForAll) {
  for (const Blueprint& bp : sample_blueprints()) {
    PlannedGraph planned(graph_of(bp));
    const PlannedSteps& steps = planned.plan(weight_formats("bf16", bp), {}, LatentForm::absorbed);
    for (const Workload& load : {Workload::decode(30), Workload::prefill(50, 3)}) {
      int64_t all = 0, folded = 0, tasks = 0, folded_tasks = 0;
      const BatchLoad batch{.all = load, .threads = 4};
      const auto operations = [](const StepWork& work) {
        int64_t n = 0;
        for (const Work& w : work.parts) n += w.operations + w.state_bytes + w.numbers;
        return n;
      };
      for (const StepWork& work : work_of(steps.plan, batch)) {
        all += operations(work);
        tasks += work.tasks;
      }
      for (const EqualSteps& equal : steps.steps) {
        const StepWork work = work_of(steps.plan, steps.plan.steps[equal.first], batch);
        folded += equal.count * operations(work);
        folded_tasks += equal.count * work.tasks;
      }
      EXPECT_EQ(all, folded) << bp.name;
      EXPECT_EQ(tasks, folded_tasks) << bp.name;
    }
  }
}

/// A prompt in chunks is the sum of its chunks.
TEST(Predict, ChunksAddUp) {
  const Blueprint bp = gemma_like();
  Machine m = slow_memory();
  const PredictOptions whole{.prompt = 70, .generate = 0, .chunk = 32, .alternatives = false};
  const Phase all = predict(bp, m, whole).prefill;
  PlannedGraph planned(graph_of(bp));
  const Plan& plan =
      planned.plan(weight_formats("bf16", bp), engine_options(m, whole), LatentForm::absorbed).plan;
  double operations = 0, state = 0, steps = 0;
  for (const int64_t at : {0, 32, 64}) {
    const int64_t n = std::min<int64_t>(32, 70 - at);
    for (const StepWork& step :
         work_of(plan, {.all = Workload::prefill(n, at), .wanted = at == 64 ? 1 : 0})) {
      steps += step.tasks > 0 ? 1 : 0;
      for (const Work& w : step.parts) {
        operations += static_cast<double>(w.operations);
        state += static_cast<double>(w.state_bytes);
      }
    }
  }
  EXPECT_EQ(all.operations, operations);
  EXPECT_EQ(all.state_bytes, state);
  EXPECT_EQ(all.steps, steps);
}

TEST(Predict, LargestContextIsTheLargest) {
  const Blueprint bp = released("qwen3-0.6b");
  Machine m = slow_memory();
  m.memory_bytes = 4e9;
  PredictOptions o{.weights = "q8_0"};
  const Prediction p = predict(bp, m, o);
  EXPECT_TRUE(p.memory.fits);
  o.context = p.largest_context;
  EXPECT_TRUE(predict(bp, m, o).memory.fits);
  o.context = p.largest_context + 64;
  EXPECT_FALSE(predict(bp, m, o).memory.fits);
  o.context = 4096;
  o.sequences = p.largest_sequences;
  EXPECT_TRUE(predict(bp, m, o).memory.fits);
  o.sequences = p.largest_sequences + 1;
  EXPECT_FALSE(predict(bp, m, o).memory.fits);
}

TEST(Predict, SuggestsWhatFits) {
  const Prediction roomy = predict(released("qwen3-8b"), library("h100-sxm"));
  EXPECT_EQ(roomy.suggestion, "q8_0");
  const Prediction tight = predict(released("qwen3-32b"), library("rtx-4090"));
  ASSERT_FALSE(tight.suggestion.empty());
  bool better = false;  // nothing with more bits fits
  for (const Alternative& a : tight.alternatives) {
    if (a.weights == tight.suggestion) break;
    better |= a.fits;
  }
  EXPECT_FALSE(better);
  const Prediction none = predict(released("kimi-k2"), library("rtx-4090"));
  EXPECT_TRUE(none.suggestion.empty());
  EXPECT_EQ(none.largest_context, 0);
}

/// A model that is read many times is planned once for each mix of formats.
TEST(Predict, PlansAreMadeOnce) {
  const Blueprint bp = released("kimi-k2");
  PlannedGraph planned(graph_of(bp));
  PredictOptions o{.formats = weight_formats("q4_k_m", bp), .alternatives = false};
  for (const int64_t context : {1024, 4096, 16384}) {
    o.context = context;
    EXPECT_GT(predict_graph(bp, planned, library("apple-m3-ultra"), o).decode.limit.seconds, 0);
  }
  EXPECT_EQ(planned.plans(), 2u);  // absorbed and expanded
  o.chunk = 64;
  predict_graph(bp, planned, library("apple-m3-ultra"), o);
  EXPECT_EQ(planned.plans(), 4u);
}

TEST(Predict, TodayComesFromMeasuredKernels) {
  Machine m = slow_memory();
  m.threads = 1;
  auto& k = m.kernels.emplace();
  for (const int64_t tokens : {1, 8, 64})
    k.products.push_back({Format::f32, tokens, 1e-6 * static_cast<double>(tokens)});
  const Prediction p = predict(qwen_like(), m, {.prompt = 32, .generate = 0, .weights = "f32"});
  ASSERT_TRUE(p.decode.today.has_value());
  double products = 0;
  for (const auto& [part, share] : p.decode.by_part)
    if (part.ends_with("products")) products += share.today_seconds;
  const Count c = count(qwen_like());
  const int64_t matrices = c.parameters.total - c.parameters.by_kind.at("norm") - 3 * 2 * 6;
  EXPECT_NEAR(products, 1e-6 * static_cast<double>(matrices), 1e-9);
  // Seconds grow with the tokens as the curve says.
  EXPECT_GT(p.prefill.today->seconds, 20 * products);
}

/// Short rows cost more per weight, and a step of the engine its own time.
TEST(Predict, TodayKnowsRowsAndSteps) {
  Machine m = slow_memory();
  m.threads = 1;
  auto& k = m.kernels.emplace();
  k.products = {{Format::f32, 1, 2e-9, 512}, {Format::f32, 1, 1e-9, 2048}};
  const auto seconds = [&](int64_t width) {
    Blueprint bp = qwen_like();
    bp.embedding.width = width;
    bp.head.tied = false;
    const PredictOptions o{.prompt = 1, .generate = 0, .weights = "f32", .alternatives = false};
    const Prediction p = predict(bp, m, o);
    const double steps = p.decode.today->step_seconds;
    EXPECT_NEAR(steps, p.decode.steps * (k.step_seconds > 0 ? k.step_seconds : m.step_seconds),
                1e-12);
    const double weights = static_cast<double>(bp.embedding.vocab * width);
    return (p.decode.by_part.at("head products").today_seconds - steps / p.decode.steps) / weights;
  };
  EXPECT_NEAR(seconds(2048), 1e-9, 1e-13);
  EXPECT_NEAR(seconds(4096), 1e-9, 1e-13);
  EXPECT_NEAR(seconds(512), 2e-9, 1e-13);
  EXPECT_NEAR(seconds(1024), (1 + 1.0 / 3) * 1e-9, 1e-13);
  EXPECT_NEAR(seconds(256), (1 + 7.0 / 3) * 1e-9, 1e-13);
  k.step_seconds = 5e-6;
  EXPECT_NEAR(seconds(2048), 1e-9, 1e-13);
}

/// Weights that are kept in panels too take memory, and where steps read them the time of panels.
TEST(Predict, PackedWeightsTakeMemoryAndTheirOwnTime) {
  const ProductForms forms(kernels::table(), Format::f32, false, true);
  if (forms.at(32).packing != kernels::Packing::panels)
    GTEST_SKIP() << "the kernels of this CPU keep no panels";
  Machine m = slow_memory();
  m.threads = 1;
  // The last layer computes one token: next to nothing, so that the ratio is that of the others.
  m.kernels.emplace().products = {
      {Format::f32, 1, 1e-6}, {Format::f32, 32, 32e-3}, {Format::f32, 32, 8e-3, 2048, true}};
  const auto predicted = [&](bool packed) {
    return predict(qwen_like(), m,
                   {.prompt = 32,
                    .generate = 0,
                    .weights = "f32",
                    .packed_weights = packed,
                    .alternatives = false});
  };
  const Prediction rows = predicted(false), panels = predicted(true);
  EXPECT_GT(panels.memory.copies, rows.memory.copies);
  EXPECT_NEAR(panels.prefill.by_part.at("ffn products").today_seconds /
                  rows.prefill.by_part.at("ffn products").today_seconds,
              0.25, 1e-3);
  EXPECT_EQ(panels.decode.by_part.at("ffn products").today_seconds,
            rows.decode.by_part.at("ffn products").today_seconds);
}

/// A key costs more with more query heads, by what two measured groups say; three tasks keep two
/// threads as long as four.
TEST(Predict, TodayKnowsGroupsAndIdleThreads) {
  Machine m = slow_memory();
  m.threads = 1;
  auto& k = m.kernels.emplace();
  const auto shape = [](int64_t group, double seconds_per_key) {
    const double operations = static_cast<double>(group * (2 * 6 + 4 + 2 * 6));
    return Machine::Kernels::Attention{1, 100, group, 6, 6, operations / seconds_per_key};
  };
  k.attention = {shape(1, 1e-6), shape(4, 4e-6)};
  const auto seconds = [&](int64_t kv_heads, int64_t group) {
    Blueprint bp = qwen_like();
    for (Block& b : bp.blocks) {
      auto& a = std::get<AttentionPart>(b.mixer);
      a.kv_heads = kv_heads;
      a.heads = kv_heads * group;
    }
    const PredictOptions o{.prompt = 99, .generate = 0, .weights = "f32", .alternatives = false};
    const Prediction p = predict(bp, m, o);
    const double steps = 3 * (k.step_seconds > 0 ? k.step_seconds : m.step_seconds);
    return (p.decode.by_part.at("attention scores").today_seconds - steps) / 3;
  };
  EXPECT_NEAR(seconds(1, 4), 100 * 4e-6, 4e-6);
  EXPECT_NEAR(seconds(1, 2), 100 * 2e-6, 4e-6);
  EXPECT_NEAR(seconds(3, 2), 3 * seconds(1, 2), 1e-9);
  const double alone = seconds(3, 2);
  m.threads = 2;
  EXPECT_NEAR(seconds(3, 2), alone * 4 / 3, 1e-9);
  EXPECT_NEAR(seconds(4, 2), alone * 4 / 3, 1e-9);
}

TEST(Predict, JsonIsAsDocumented) {
  Machine m = slow_memory();
  m.kernels.emplace().products.push_back({Format::bf16, 1, 1e-9});
  Json json = parse_json(prediction_json(predict(deepseek_like(), m)), "one");
  // What only several machines have.
  Machine small = library("h100-sxm");
  small.memory_bytes = 1.1e9;
  small.reserve_bytes = 5e8;
  const Json two = parse_json(
      prediction_json(predict(deepseek_like(), small, {.devices = 2, .alternatives = false})),
      "two");
  EXPECT_EQ(two.at("splits").size(), 4u);  // tensor, pipeline, expert, data
  json["splits"] = two.at("splits");
  json["offload"] = {{"what", "layers"}, {"share", 0.5}, {"tokens_per_second", 1}};
  EXPECT_EQ(schema_differences(json.dump(), "plan"), std::vector<std::string>{});
  EXPECT_NE(prediction_text(predict(deepseek_like(), m)).find("Suggested"), std::string::npos);
}

const Alternative& named(const Prediction& p, std::string_view weights) {
  for (const Alternative& a : p.alternatives)
    if (a.weights == weights) return a;
  throw std::out_of_range(std::string(weights));
}

// What is released in four bits is planned in four bits: it runs on one card of 80 GB, and nothing
// larger or coarser is suggested for it.
TEST(Predict, StartsFromTheReleasedFormat) {
  const Prediction p = predict(released("gpt-oss-120b"), library("h100-sxm"), {.devices = 0});
  EXPECT_EQ(p.native, "mxfp4");
  EXPECT_EQ(p.options.weights, "mxfp4");
  EXPECT_EQ(p.devices, 1);
  EXPECT_EQ(p.devices_needed, 1);
  EXPECT_TRUE(p.memory.fits);
  EXPECT_EQ(p.suggestion, "mxfp4");
  EXPECT_NEAR(static_cast<double>(p.memory.weights) / (1 << 30), 60.8, 0.1);
  ASSERT_TRUE(p.decode.expected);
  EXPECT_LT(p.decode.expected->low, p.decode.expected->high);
  // The limit reads the released bytes; engines hold what is bfloat16 beside experts in eight bits.
  EXPECT_GT(p.decode.expected->high, p.decode.limit.tokens_per_second);
  EXPECT_LT(p.decode.expected->high, 1.5 * p.decode.limit.tokens_per_second);
  for (const char* weights : {"bf16", "fp8", "int4", "mxfp4", "nvfp4", "q4_k_m"})
    EXPECT_GT(named(p, weights).bytes, 0) << weights;
  EXPECT_EQ(named(p, "bf16").devices_needed, 3);  // 218 GiB
  EXPECT_LE(named(p, p.suggestion).bytes, p.memory.weights);
}

TEST(Predict, CountsTheDevicesThatAreNeeded) {
  const Blueprint kimi = released("kimi-k2");
  const Machine h100 = library("h100-sxm"), h200 = library("h200-sxm");
  PredictOptions o{.devices = 0, .alternatives = false};
  const Prediction fewest = predict(kimi, h100, o);
  EXPECT_EQ(fewest.native, "fp8_b128");
  EXPECT_EQ(fewest.devices, fewest.devices_needed);
  EXPECT_GT(fewest.devices, 8);
  EXPECT_LE(fewest.devices, 16);  // as published
  EXPECT_TRUE(fewest.memory.fits);
  EXPECT_LE(predict(kimi, h200, o).devices, 8);
  o.devices = static_cast<int>(fewest.devices_needed) - 1;
  const Prediction less = predict(kimi, h100, o);
  EXPECT_FALSE(less.memory.fits);
  EXPECT_FALSE(less.decode.expected);
  EXPECT_EQ(less.devices_needed, fewest.devices_needed);
  EXPECT_NE(prediction_text(less).find("needs " + std::to_string(fewest.devices_needed) + " x"),
            std::string::npos);
}

// More devices read faster, and exchanges between them cost something.
TEST(Predict, SplitsOverDevices) {
  const Blueprint bp = released("llama-3.1-70b");
  const Machine h100 = library("h100-sxm");
  PredictOptions o{.devices = 2, .alternatives = false};
  const Prediction two = predict(bp, h100, o);
  o.devices = 4;
  const Prediction four = predict(bp, h100, o);
  const double gain = four.decode.limit.tokens_per_second / two.decode.limit.tokens_per_second;
  EXPECT_GT(gain, 1.4);
  EXPECT_LT(gain, 2);
  ASSERT_EQ(four.splits.size(), 3u);  // no experts
  EXPECT_EQ(four.splits[0].tensor, 4);
  EXPECT_EQ(four.splits[1].pipeline, 4);
  // Two sums a layer over rows of 8192 numbers of two bytes, in a ring of four.
  EXPECT_EQ(four.splits[0].bytes_per_step, 2 * 80 * 8192 * 2 * 2 * 0.75);
  EXPECT_LT(four.splits[1].tokens_per_second, four.splits[0].tokens_per_second);
  EXPECT_EQ(four.splits[2].tokens_per_second, 0);  // 141 GB on each card
  // Layers behind a slow link: no faster than one card that were large enough.
  const Prediction cards =
      predict(bp, library("rtx-3090"), {.weights = "q4_k_m", .devices = 2, .alternatives = false});
  Machine large = library("rtx-3090");
  large.memory_bytes *= 2;
  const Prediction one = predict(bp, large, {.weights = "q4_k_m", .alternatives = false});
  EXPECT_LT(cards.decode.limit.tokens_per_second, one.decode.limit.tokens_per_second);
  EXPECT_GT(cards.decode.limit.tokens_per_second, 0.99 * one.decode.limit.tokens_per_second);
}

TEST(Predict, LeavesExpertsInHostMemory) {
  const Prediction p =
      predict(released("gpt-oss-120b"), library("rtx-4090"), {.devices = 1, .alternatives = false});
  EXPECT_FALSE(p.memory.fits);
  ASSERT_TRUE(p.offload);
  EXPECT_EQ(p.offload->what, "experts");
  EXPECT_GT(p.offload->share, 0.5);
  EXPECT_LT(p.offload->share, 1);
  EXPECT_GT(p.offload->tokens_per_second, 1);
  EXPECT_LT(p.offload->tokens_per_second, p.decode.limit.tokens_per_second);
}

TEST(Predict, StateGrowsLessWhereWindowsAreFull) {
  const Prediction p =
      predict(released("gemma-3-27b"), library("h100-sxm"), {.alternatives = false});
  EXPECT_EQ(p.state_bytes_first, 496.0 * 1024);
  EXPECT_EQ(p.state_bytes_later, 80.0 * 1024);
}

TEST(Cards, EveryBlueprintHasOne) {
  setenv("ASHLAR_BLUEPRINTS", (source_dir() + "/blueprints").c_str(), 1);
  for (const std::string& name : blueprint_names()) {
    const auto card = card_of(name);
    ASSERT_TRUE(card) << name << " is missing in cards/models.json";
    EXPECT_FALSE(card->organisation.empty()) << name;
    EXPECT_EQ(card->date.size(), 7u) << name;
    EXPECT_NO_THROW(weight_formats(card->weights, load_blueprint(name))) << name;
  }
  unsetenv("ASHLAR_BLUEPRINTS");
}

TEST(Predict, OptionsOutOfRange) {
  EXPECT_THROW(predict(qwen_like(), slow_memory(), {.context = 0}), Error);
  EXPECT_THROW(predict(qwen_like(), slow_memory(), {.sequences = 1 << 20}), Error);
  EXPECT_THROW(predict(qwen_like(), slow_memory(), {.prompt = 0}), Error);
  EXPECT_THROW(predict(qwen_like(), slow_memory(), {.weights = "nothing"}), Error);
}

TEST(Machines, LibraryIsCompleteAndMarked) {
  setenv("ASHLAR_MACHINES", (source_dir() + "/machines").c_str(), 1);
  const std::vector<std::string> names = machine_names();
  EXPECT_GE(names.size(), 15u);
  for (const std::string& name : names) {
    const Machine m = load_machine(name);
    EXPECT_EQ(m.name, name);
    EXPECT_EQ(m.source, "published") << name;
    EXPECT_NE(m.note.find("Not measured"), std::string::npos) << name;
    for (const char* figure : {"memory_bytes", "read", "matrix", "step_seconds"})
      EXPECT_TRUE(m.sources.contains(figure)) << name << ": " << figure;
    EXPECT_LT(m.usable_bytes(), m.memory_bytes) << name;
    EXPECT_GT(m.usable_bytes(), 0.9 * m.memory_bytes) << name;
    EXPECT_GT(m.memory_bytes, 1e9) << name;
    EXPECT_GE(m.peak(Format::q8_0), m.peak(Format::f32)) << name;
  }
  EXPECT_THROW(load_machine("no-such-machine"), Error);
  unsetenv("ASHLAR_MACHINES");
}

TEST(Machines, BandwidthByWorkingSet) {
  Machine m;
  m.threads = 2;
  m.read = {{2, 1e6, 100}, {2, 1e9, 10}, {1, 1e9, 5}};
  EXPECT_EQ(m.bandwidth(5e5), 100);
  EXPECT_EQ(m.bandwidth(2e6), 10);
  EXPECT_EQ(m.bandwidth(1e12), 10);
}

TEST(Machines, BrokenFiles) {
  for (
      const char* text :
      {"[]", "{}", R"({"memory_bytes": -1})", R"({"read": {}})", R"({"read": [1]})",
       R"({"memory_bytes": "x"})", R"({"threads": 1.5})", R"({"kernels": []})",
       R"({"kernels": {"products": [{"format": "q99"}]}})",
       R"({"memory_bytes": 1, "read": [{"bytes_per_second": 1}]})",
       R"({"memory_bytes": 1, "read": [{"bytes_per_second": 1}], "matrix": [{"arithmetic": "f32"}]})",
       R"({"memory_bytes": 1, "read": [{}], "matrix": [{"arithmetic": "f32", "operations_per_second": 1}]})",
       R"({"memory_bytes": 1, "kind": "tpu", "read": [{"bytes_per_second": 1}],
            "matrix": [{"arithmetic": "f32", "operations_per_second": 1}]})"})
    EXPECT_THROW(machine_from_json(text, "file"), Error) << text;
}

}  // namespace
}  // namespace ashlar::testing
