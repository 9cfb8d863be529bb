// Plans held against arithmetic done by hand, and the library of machines.
#include "ashlar/predict.h"

#include <gtest/gtest.h>

#include <chrono>

#include "../blueprint/samples.h"
#include "base/error.h"
#include "base/json.h"
#include "readings/predict/work.h"
#include "schema.h"
#include "support/paths.h"

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

TEST(Plan, DecodeIsBytesOverBandwidth) {
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

TEST(Plan, ComputeAndStepsBound) {
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

TEST(Plan, PromptInChunksReadsWeightsAgain) {
  const Blueprint bp = qwen_like();
  const Prediction one = predict(bp, slow_memory(), {.prompt = 64, .generate = 0, .chunk = 64});
  const Prediction two = predict(bp, slow_memory(), {.prompt = 64, .generate = 0, .chunk = 32});
  EXPECT_GT(two.prefill.weight_bytes, 1.5 * one.prefill.weight_bytes);
}

/// Operations of work and of counts agree where the form of latent attention is the same.
TEST(Plan, WorkCountsWhatCountCounts) {
  for (const Blueprint& bp : sample_blueprints()) {
    const Graph graph = graph_of(bp);
    const WeightFormats f32 = weight_formats("f32", bp);
    double products = 0, attention = 0;
    for (const Work& w :
         work_of(graph, f32, Format::f16, Workload::decode(9), 1, /*absorbed=*/true)) {
      if (w.what == Work::What::product || w.what == Work::What::experts) products += w.operations;
      if (w.what == Work::What::attention) attention += w.operations;
    }
    const Count c = count(bp, {.context = 9});
    EXPECT_GT(products, 0.5 * c.flops_per_token.decode * 0.5) << bp.name;
    EXPECT_GT(attention, 0) << bp.name;
    if (bp.name.starts_with("deepseek")) continue;
    // Experts' weights are touched by chance in plans; one token touches exactly its own.
    EXPECT_NEAR(products + attention, c.flops_per_token.decode, 0.35 * c.flops_per_token.decode)
        << bp.name;
  }
}

TEST(Plan, LargestContextIsTheLargest) {
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

TEST(Plan, SuggestsWhatFits) {
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

TEST(Plan, LargeModelsInUnderASecond) {
  const Machine m = library("apple-m3-ultra");
  for (const char* name : {"kimi-k2", "deepseek-v3"}) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_GT(predict(released(name), m).decode.limit.tokens_per_second, 0);
    EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 1)
        << name;
  }
}

TEST(Plan, TodayComesFromMeasuredKernels) {
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
TEST(Plan, TodayKnowsRowsAndSteps) {
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

/// A key costs more with more query heads, by what two measured groups say; three tasks keep two
/// threads as long as four.
TEST(Plan, TodayKnowsGroupsAndIdleThreads) {
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

TEST(Plan, JsonIsAsDocumented) {
  Machine m = slow_memory();
  m.kernels.emplace().products.push_back({Format::bf16, 1, 1e-9});
  const std::string text = prediction_json(predict(deepseek_like(), m));
  EXPECT_EQ(schema_differences(text, "plan"), std::vector<std::string>{});
  EXPECT_NE(prediction_text(predict(deepseek_like(), m)).find("Suggested"), std::string::npos);
}

TEST(Plan, OptionsOutOfRange) {
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
  for (const char* text :
       {"[]", "{}", R"({"memory_bytes": -1})", R"({"read": {}})", R"({"read": [1]})",
        R"({"memory_bytes": "x"})", R"({"threads": 1.5})", R"({"kernels": []})",
        R"({"kernels": {"products": [{"format": "q99"}]}})",
        R"({"memory_bytes": 1, "read": [{"bytes_per_second": 1}]})"})
    EXPECT_THROW(machine_from_json(text, "file"), Error) << text;
}

}  // namespace
}  // namespace ashlar::testing
