// Public, dated reports of what ran on what and how fast, held against `plan`: reports.json says of
// each where it is from. Speeds are tokens per second over all sequences.
#include <gtest/gtest.h>

#include "base/json.h"
#include "readings/predict/predict.h"
#include "support/paths.h"

namespace ashlar::testing {
namespace {

void expect_within(const Json& report, const char* phase, const Phase& planned) {
  if (!report.contains(phase)) return;
  const bool alone = report.at("devices") == 1;
  const auto reported = report.at(phase).get<double>();
  ASSERT_TRUE(planned.expected) << report.dump();
  EXPECT_LE(planned.expected->low, reported) << phase << " of " << report.dump();
  EXPECT_GE(planned.expected->high, reported) << phase << " of " << report.dump();
  // Several devices: from one after the other to all at once.
  EXPECT_LE(planned.expected->high, (alone ? 10 : 25) * planned.expected->low) << report.dump();
}

TEST(Reports, LieWithinWhatIsExpected) {
  const Json reports = read_json(source_dir() + "/tests/readings/reports.json");
  EXPECT_GE(reports.size(), 40u);
  for (const Json& r : reports) {
    PredictOptions options;
    options.context = r.value("context", options.context);
    options.sequences = r.value("sequences", options.sequences);
    options.prompt = r.value("prompt", options.prompt);
    options.depth = r.value("depth", options.depth);
    options.devices = r.at("devices").get<int64_t>();
    options.weights = r.at("weights").get<std::string>();
    options.alternatives = false;
    const Prediction p = predict(
        load_blueprint(source_dir() + "/blueprints/" + r.at("model").get<std::string>() + ".json"),
        load_machine(source_dir() + "/machines/" + r.at("machine").get<std::string>() + ".json"),
        options);
    const bool fits = r.value("fits", true);
    EXPECT_EQ(p.memory.fits, fits) << r.dump();
    EXPECT_EQ(p.devices_needed > 0 && p.devices_needed <= p.devices, fits) << r.dump();
    expect_within(r, "prefill", p.prefill);
    expect_within(r, "decode", p.decode);
  }
}

}  // namespace
}  // namespace ashlar::testing
