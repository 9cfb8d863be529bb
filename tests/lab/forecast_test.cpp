// Power laws found again, and forecasts that are made before what they foretell has run.
#include "lab/forecast.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/temporary_folder.h"
#include "lab/campaign.h"
#include "lab/results.h"
#include "support/errors.h"

namespace ashlar::lab {
namespace {

using ashlar::testing::expect_error;

Json small() {
  return Json::parse(R"({
    "id": "small", "question": "q", "hypothesis": "h",
    "criteria": [{"id": "c", "says": "s", "metric": "loss", "arm": "large", "against": "forecast",
                  "direction": "equal", "size": 0.05}],
    "base": {"base": "smollm2-135m", "change": {"layers": 2, "embedding.vocab": 16, "embedding.width": 16,
      "blocks[*].mixer.attention.heads": 2, "blocks[*].mixer.attention.kv_heads": 2,
      "blocks[*].mixer.attention.head_dim": 8, "blocks[*].ffn.dense.width": 32}},
    "run": {"batch": {"sequences": 4}},
    "data": {"task": "markov", "parameters": {"symbols": 16, "length": 32}, "validation_rows": 8},
    "tokens": 1280,
    "forecast": {"metric": "loss", "over": "body", "from": ["a", "b", "c"], "to": "large"},
    "arms": {"a": {}, "b": {"change": {"layers": 4}}, "c": {"change": {"layers": 8}},
             "large": {"change": {"layers": 32}}},
    "rates": [0.003, 0.01], "seeds": [1, 2]})");
}

Experiment read(const Json& json) { return experiment_from_json(json, "/nowhere/small.json"); }

TEST(PowerLaws, AreFoundAgain) {
  const PowerLaw law{1.5, 3, 0.4};
  const std::vector<double> x{10, 40, 160, 1000};
  std::vector<double> y;
  for (const double v : x) y.push_back(law.at(v));
  EXPECT_NEAR(law.at(1), 4.5, 1e-12);
  const auto three = std::pair(std::span(x).first(3), std::span(y).first(3));
  for (const std::optional<double> floor : {std::optional(1.5), std::optional<double>()}) {
    const PowerLaw found = fitted(three.first, three.second, floor);
    EXPECT_NEAR(found.floor, 1.5, 1e-4);
    EXPECT_NEAR(found.exponent, 0.4, 1e-4);
    EXPECT_NEAR(found.at(1000), y[3], 1e-4);
  }
  // With a floor by hand: ln(y - 1) is 2, 1, 0 over ln x = 0, 1, 2.
  const std::vector<double> e{1, std::exp(1.0), std::exp(2.0)};
  const std::vector<double> z{1 + std::exp(2.0), 1 + std::exp(1.0), 2};
  const PowerLaw found = fitted(e, z, 1.0);
  EXPECT_NEAR(found.exponent, 1, 1e-12);
  EXPECT_NEAR(found.scale, std::exp(2.0), 1e-9);
}

/// A run of an arm that ended so.
void end(Store& store, const Prepared& p, size_t arm, double rate, uint64_t seed, double loss) {
  RunResult r{.key = run_spec(p, p.arms[arm], rate, seed).key,
              .metrics = {{"loss", loss}, {"tokens_per_second", 1.0}},
              .curve = {{"tokens", Json::array()}, {"loss", Json::array()}},
              .seconds = 1};
  store.put_result(r);
}

TEST(Forecasts, AreRegisteredBeforeTheLargerArmRuns) {
  const TemporaryFolder folder;
  Store store(folder.path());
  const Prepared p = prepare(read(small()), store);
  const auto planned = [&] {
    int64_t large = 0;
    for (const RunSpec& spec : plan(p, store).runs) large += spec.arm == "large" ? 1 : 0;
    return large;
  };
  const auto law = [&](size_t arm, uint64_t seed) {
    const double x = static_cast<double>(p.arms[arm].cost.body);
    return (seed == 1 ? 1.0 : 1.1) + 50 / std::sqrt(x);
  };
  for (size_t arm = 0; arm < 3; ++arm) {
    EXPECT_FALSE(register_forecast(p, store));
    EXPECT_EQ(planned(), 0);
    end(store, p, arm, 0.003, 1, 9);
    end(store, p, arm, 0.01, 1, law(arm, 1));
    end(store, p, arm, 0.01, 2, law(arm, 2));
  }
  EXPECT_FALSE(plan(p, store).complete);
  EXPECT_TRUE(register_forecast(p, store));
  EXPECT_EQ(planned(), 2);  // its grid at the first seed
  Json results = results_of(p.experiment, store);
  const double expected = (law(3, 1) + law(3, 2)) / 2;
  EXPECT_NEAR(results["forecast"]["prediction"]["mean"].get<double>(), expected, 1e-3);
  // Two seeds 0.1 apart: 12.706 (t of one degree) times 0.0707 times sqrt(1.5).
  EXPECT_NEAR(results["forecast"]["prediction"]["high"].get<double>() - expected,
              12.7062 * 0.1 / std::sqrt(2.0) * std::sqrt(1.5), 2e-3);
  EXPECT_TRUE(results["forecast"]["off"].is_null());
  EXPECT_EQ(results["criteria"][0]["verdict"], "missing");

  end(store, p, 3, 0.003, 1, 9);
  end(store, p, 3, 0.01, 1, expected - 0.01);
  end(store, p, 3, 0.01, 2, expected + 0.012);
  results = results_of(p.experiment, store);
  EXPECT_NEAR(results["forecast"]["off"].get<double>(), 0.001 / expected, 1e-3);
  EXPECT_TRUE(results["forecast"]["inside"].get<bool>());
  EXPECT_NEAR(results["criteria"][0]["difference"]["mean"].get<double>(), 0.001, 1e-3);
}

TEST(Forecasts, SayWhatIsWrong) {
  const auto with = [](const char* pointer, const Json& value) {
    Json json = small();
    json[Json::json_pointer(pointer)] = value;
    return json;
  };
  expect_error([&] { read(with("/forecast/from", {"a", "b"})); }, "at least 3");
  read(
      with("/forecast", {{"metric", "loss"}, {"from", {"a", "b"}}, {"to", "large"}, {"floor", 0}}));
  expect_error([&] { read(with("/forecast/to", "larg")); }, "did you mean large?");
  expect_error([&] { read(with("/forecast/over", "state")); }, "no size of a model");
  expect_error([&] { read(with("/criteria/0/metric", "excess")); }, "no forecast of excess");
  expect_error([&] { read(with("/beyond", 1)); }, "beyond");
}

}  // namespace
}  // namespace ashlar::lab
