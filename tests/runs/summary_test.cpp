// Logs read back, states of runs, event files byte by byte, pages of curves.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "base/temporary_folder.h"
#include "runs/event_file.h"
#include "runs/log.h"
#include "runs/report.h"
#include "runs/summary.h"
#include "support/errors.h"

namespace ashlar::testing {
namespace {

namespace fs = std::filesystem;

StepRecord record(int64_t step, double loss) {
  StepRecord r;
  r.step = step;
  r.tokens = 100 * step;
  r.loss = loss;
  r.gradient_norm = 0.5;
  r.rate = 1e-3;
  r.seconds = 0.25;
  r.tokens_per_second = 400;
  return r;
}

// The check value of the Castagnoli polynomial, and that of RFC 3720, B.4: 32 zero bytes.
TEST(EventFiles, ChecksumsAreCastagnolis) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
}

// What TensorBoard's own reader sees: checked with it when this was written.
TEST(EventFiles, RecordsAreFramedAndHoldScalars) {
  const std::string event = scalar_event(1.5, 300, {{"train/loss", 2.5}});
  const std::string expected(
      "\x09\x00\x00\x00\x00\x00\x00\xF8\x3F"  // 1: wall_time
      "\x10\xAC\x02"                          // 2: step
      "\x2A\x13\x0A\x11\x0A\x0Atrain/loss\x15\x00\x00\x20\x40",
      9 + 3 + 21);
  EXPECT_EQ(event, expected);
  const std::string framed = event_record(event);
  ASSERT_EQ(framed.size(), event.size() + 16);
  uint64_t length = 0;
  std::memcpy(&length, framed.data(), 8);
  EXPECT_EQ(length, event.size());
  uint32_t crc = 0;
  std::memcpy(&crc, framed.data() + framed.size() - 4, 4);
  crc -= 0xA282EAD8U;
  EXPECT_EQ((crc >> 17) | (crc << 15), crc32c(event));
}

TEST(Summaries, SayHowARunIs) {
  const TemporaryFolder scratch;
  const fs::path run = scratch.path() / "group/a";
  fs::create_directories(run / "model");
  write_file(run / "run.json", R"({"model": {"base": "x/qwen3-0.6b", "change": {"layers": 2}},
                                  "steps": 30})");
  EXPECT_EQ(runs_in(scratch.path()), (std::vector<fs::path>{run}));
  EXPECT_EQ(summary_of(run).state, RunState::stopped);
  {
    RunLog log(run / "log.jsonl");
    for (int64_t step = 1; step <= 30; ++step) {
      StepRecord r = record(step, step <= 10 ? 100 : 4);
      if (step == 20) {
        r.validation_loss = 3.5;
        r.bits_per_byte = 1.25;
      }
      if (step == 30) r.validation_loss = 3.75;
      if (step == 12) r.spikes = {"loss.robust"};
      log.add(to_json(r));
    }
    EXPECT_EQ(summary_of(run).state, RunState::running);
    expect_error([&] { RunLog(run / "log.jsonl"); }, "another process");
  }
  RunSummary s = summary_of(run);
  EXPECT_EQ(s.state, RunState::stopped);  // all steps, but no model
  write_file(run / "model/config.json", "{}");
  s = summary_of(run);
  EXPECT_EQ(s.state, RunState::finished);
  EXPECT_EQ(s.model, "qwen3-0.6b (changed)");
  EXPECT_EQ(s.loss, 4);  // of the last twenty
  EXPECT_EQ(s.tokens_per_second, 400);
  EXPECT_EQ(s.seconds, 7.5);
  EXPECT_EQ(s.validation_loss, 3.75);
  EXPECT_EQ(s.best_validation_loss, 3.5);
  EXPECT_EQ(s.spikes, 1);
  EXPECT_EQ(s.roughness, 0);                        // all norms are alike
  EXPECT_EQ(s.losses.score(SpikeRule::robust), 0);  // too few steps for a verdict
  EXPECT_TRUE(to_json(s)["stability"]["gradient_norm"].contains("deviations_1000"));
  const std::string page = report_of_runs({s});
  for (const char* part : {"Loss", "Validation loss", "Bits per byte", "Gradient norm", "Speed",
                           "model.change.layers", "qwen3-0.6b (changed)"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  EXPECT_EQ(page.find("http"), page.find("http://www.w3.org/2000/svg"));  // nothing from elsewhere
  // A line that is being written is not there yet; a loss that is no number is.
  {
    RunLog log(run / "log.jsonl");
    log.add(to_json(record(31, std::numeric_limits<double>::quiet_NaN())));
  }
  std::string text = read_file(run / "log.jsonl");
  write_file(run / "log.jsonl", text + R"({"step": 32, "lo)");
  EXPECT_EQ(read_log(run / "log.jsonl").size(), 31);
  EXPECT_EQ(summary_of(run).state, RunState::diverged);
  EXPECT_TRUE(to_json(summary_of(run))["loss"].is_null());
  write_file(run / "log.jsonl", "nonsense\n" + text);
  expect_error([&] { summary_of(run); }, "line 1");
  expect_error([&] { runs_in(run / "run.json"); }, "is no folder");
}

}  // namespace
}  // namespace ashlar::testing
