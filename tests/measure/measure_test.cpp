// Probing and benching: results are complete, plausible, and as documented.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/error.h"
#include "generate/mtp_drafter.h"
#include "measure/bench.h"
#include "measure/limits.h"
#include "measure/probe.h"
#include "measure/timing.h"
#include "support/cpu_time.h"
#include "support/samples.h"
#include "support/schema.h"
#include "support/thorough.h"

namespace ashlar::testing {
namespace {

// A loop that the compiler emptied would take as long for a thousand times the work.
TEST(Limits, EveryLoopDoesWork) {
  ASSERT_FALSE(compute_loops().empty());
  for (const ComputeLoop& loop : compute_loops()) {
    const double once = cpu_seconds_of([&] { loop.run(1000); });
    const double thousand = cpu_seconds_of([&] { loop.run(1000000); });
    EXPECT_GT(loop.operations_per_round * 1e6 / thousand, 1e8)
        << loop.arithmetic << loop.instruction_set;
    EXPECT_GT(thousand, 10 * once) << loop.arithmetic << loop.instruction_set;
  }
}

TEST(Limits, ReadsAllOfIt) {
  const Memory memory(64 << 20);
  const double part = cpu_seconds_of([&] { read_all(memory.data(), 64 << 10); });
  const double all = cpu_seconds_of([&] { read_all(memory.data(), 64 << 20); });
  EXPECT_GT(all, 10 * part);
}

TEST(Probe, QuickAndKernels) {
  if (!test::thorough()) GTEST_SKIP() << "./test --long: 18 s";
  Machine m = quick_probe(1);
  EXPECT_GT(m.bandwidth(1e30), 1e8);
  EXPECT_GT(m.peak(Format::f32), 1e8);
  EXPECT_GT(m.peak(Format::q8_0), 1e8);
  EXPECT_FALSE(m.kernels.has_value());
  probe_kernels(m, {.threads = 1, .formats = {Format::q8_0}});
  ASSERT_TRUE(m.kernels.has_value());
  for (const auto& p : m.kernels->products) EXPECT_GT(p.seconds_per_weight, 0);
  for (const auto& a : m.kernels->attention) EXPECT_GT(a.operations_per_second, 0);
  const std::string json = machine_json(m);
  EXPECT_EQ(schema_differences(json, "probe"), std::vector<std::string>{});
  // Written and read back it is the same.
  EXPECT_EQ(machine_json(machine_from_json(json, "probe")), json);
  EXPECT_NE(probe_text(m).find("q8_0"), std::string::npos);
}

TEST(Bench, TinyModel) {
  const std::string file = ::testing::TempDir() + "bench-" + std::to_string(getpid()) + ".json";
  Blueprint bp = deepseek_like();
  bp.embedding.width = 64;
  std::ofstream(file) << to_json(bp);
  Model model = load_model(file, {.random = 1, .weights = "f32"});
  std::remove(file.c_str());
  BenchOptions options{
      .prompt = 20, .generate = 5, .depth = 3, .sequences = 2, .engine = {.threads = 1}};
  options.draft_tokens = 3;
  options.draft = "mtp";  // the model's own layer
  options.drafter = [](Engine& e) { return mtp_drafter(e); };
  options.repeat = 2;
  const BenchResult r = bench(model, options);
  EXPECT_EQ(r.prefill.seconds.size(), 2u);
  EXPECT_GT(r.decode.tokens_per_second, 0);
  EXPECT_LE(r.decode.least, r.decode.most);
  EXPECT_GT(r.decode.planned_today, 0);
  EXPECT_EQ(r.weight_bytes, count(bp, {.weights = "f32"}).weights.bytes);
  double seconds = 0;
  for (const BenchPart& part : r.decode.parts) seconds += part.seconds;
  EXPECT_GT(seconds, 0);
  // Every part has a bound, and the limits of all are the plan's.
  for (const BenchPhase* phase : {&r.prefill, &r.decode}) {
    double limit = 0;
    for (const BenchPart& part : phase->parts) {
      EXPECT_TRUE(part.bound_by == "bandwidth" || part.bound_by == "compute" ||
                  part.bound_by == "steps")
          << part.name;
      EXPECT_DOUBLE_EQ(part.of_limit * part.seconds, part.planned_limit_seconds);
      limit += part.planned_limit_seconds;
    }
    const double tokens = phase == &r.prefill ? 20 : 2;
    EXPECT_NEAR(tokens / limit, phase->planned_limit, 1e-6 * phase->planned_limit);
  }
  ASSERT_TRUE(r.drafting);
  EXPECT_EQ(r.drafting->tokens, 3);
  EXPECT_NEAR(r.drafting->seconds / (2 / r.decode.tokens_per_second) - 1, r.drafting->break_even,
              1e-9);
  EXPECT_NE(bench_text(r).find("A step with 3 guesses"), std::string::npos);
  ASSERT_TRUE(r.drafts);
  EXPECT_GT(r.drafts->drafted_tokens, 0);
  EXPECT_LE(r.drafts->accepted_tokens, r.drafts->drafted_tokens);
  EXPECT_GT(r.drafts->tokens_per_second, 0);
  EXPECT_GT(r.drafts->without_per_second, 0);
  EXPECT_NE(bench_text(r).find("Drafting with mtp, up to 3 tokens: "), std::string::npos);
  EXPECT_EQ(schema_differences(bench_json(r), "bench"), std::vector<std::string>{});
  EXPECT_NE(bench_text(r).find("attention scores"), std::string::npos);
  // Exact activations change what the engine prepares.
  Model packed = load_model("smollm2-135m", {.random = 1, .weights = "q8_0"});
  const BenchOptions fast{
      .prompt = 4, .generate = 2, .engine = {.threads = 1}, .repeat = 1, .speed_only = true};
  BenchOptions exact = fast;
  exact.engine.f32_activations = true;
  EXPECT_NE(bench(packed, fast).activation_bytes, bench(packed, exact).activation_bytes);
  EXPECT_THROW(bench(model, {.prompt = 0}), Error);
  EXPECT_THROW(bench(model, {.repeat = 0}), Error);
}

TEST(Bench, SpeedAlone) {
  const Model model = load_model("smollm2-135m", {.random = 1, .weights = "q8_0"});
  const BenchResult r = bench(
      model,
      {.prompt = 4, .generate = 2, .engine = {.threads = 1}, .repeat = 1, .speed_only = true});
  EXPECT_GT(r.prefill.tokens_per_second, 0);
  EXPECT_TRUE(r.decode.parts.empty());
  EXPECT_EQ(bench_text(r).find("planned"), std::string::npos);
}

TEST(Bench, ProfileHasEveryStepOfThePlan) {
  const Model model = load_model("smollm2-135m", {.random = 1, .weights = "q8_0"});
  const RunProfile p = profile_steps(model, {.prompt = 6, .generate = 3, .engine = {.threads = 2}});
  ASSERT_EQ(p.prefill.size(), p.decode.size());
  int64_t bytes = 0;
  for (const StepProfile& s : p.decode) {
    EXPECT_EQ(s.calls, 3) << s.name;
    bytes += s.weight_bytes;
  }
  EXPECT_GT(bytes, 3 * int64_t{130'000'000});  // all matrices, the tied head among them
  const Json trace = Json::parse(profile_trace(p));
  ASSERT_EQ(trace["traceEvents"].size(), 2 * p.prefill.size() + 2);
  double end = 0;  // steps of a track follow one another
  for (size_t i = 1; i <= p.prefill.size(); ++i) {
    const Json& event = trace["traceEvents"][i];
    EXPECT_EQ(event["name"], p.prefill[i - 1].name);
    EXPECT_NEAR(event["ts"].get<double>(), end, 1e-6);
    end += event["dur"].get<double>();
  }
  EXPECT_NE(profile_text(p).find(p.decode.back().name), std::string::npos);
}

}  // namespace
}  // namespace ashlar::testing
