// Grids of rates first, then seeds at the best.
#include "lab/plan.h"

#include <algorithm>

#include "base/hash.h"
#include "lab/forecast.h"
#include "lab/numbers.h"
#include "runs/run_file.h"

namespace ashlar::lab {
namespace {

constexpr int64_t kSpeedSteps = 16;

/// What makes an arm's numbers, without paths of this store.
std::string key_of(const RunSpec& spec, const Data& data) {
  Json request = spec.request;
  request.erase("data");
  request["order"] = data.order;
  const Json all = {{"version", 2},
                    {"request", request},
                    {"data", data.fingerprint},
                    {"scoring", spec.scoring},
                    {"program", numbers_of_program(request.value("precision", "f32"))}};
  return hex(hashed(all.dump()));
}

/// A copy of an arm for `kSpeedSteps` steps.
RunSpec speed_spec(const Prepared& p, const Arm& arm) {
  Experiment one = p.experiment;
  one.arms = {arm};
  one.baseline = arm.name;
  one.equal = {};
  ExpandedArm x = expand(one, p.data, [](const Arm&) { return std::nullopt; })->at(0);
  x.steps = std::min(x.steps, kSpeedSteps);
  return run_spec(p, x, arm.rates[0], p.experiment.seeds[0]);
}

}  // namespace

std::vector<uint64_t> seeds_of(const Experiment& e, const std::string& arm) {
  std::vector<uint64_t> seeds = e.seeds;
  if (arm != e.baseline) return seeds;
  for (uint64_t next = 1; std::ssize(seeds) < e.noise_seeds; ++next) {
    if (std::find(seeds.begin(), seeds.end(), next) == seeds.end()) seeds.push_back(next);
  }
  return seeds;
}

RunSpec run_spec(const Prepared& p, const ExpandedArm& arm, double rate, uint64_t seed) {
  RunSpec spec{.arm = arm.arm.name, .rate = rate, .seed = seed};
  Json request = arm.run;
  request["model"] = arm.model;
  request["seed"] = seed;
  request["steps"] = arm.steps;
  request["optimiser"]["rate"] = rate;
  request["write_model"] = false;
  if (!request.contains("checkpoint")) request["checkpoint"] = {{"every", 250}, {"keep", 1}};
  Json data = {{"order", p.data.order}};
  if (p.data.folder.empty()) {
    data["tokens"] = p.data.tokens;
    data["validation"] = p.data.validation;
  } else {
    data["folder"] = p.data.folder;
  }
  request["data"] = data;
  // In the order and with the defaults that a run's own file has: equal runs have equal keys.
  spec.request = to_json(run_file_from_json(request));
  spec.request.erase("out");
  spec.scoring = {{"rows", p.experiment.evaluation_rows},
                  {"buckets", p.experiment.buckets},
                  {"choices", {p.data.choices.first, p.data.choices.second}},
                  {"bytes", p.data.bytes},
                  {"domain_names", p.data.domain_names}};
  spec.facts = {.flops_per_token = arm.cost.flops_per_token,
                .parameters = arm.cost.total,
                .entropy = p.data.entropy,
                .facts = p.data.facts,
                .bits_per_fact = p.data.bits_per_fact,
                .events = p.data.events,
                .steps = arm.steps};
  spec.flops = arm.cost.flops_per_token * static_cast<double>(arm.steps) *
               static_cast<double>(arm.sequences) *
               static_cast<double>(std::max<int64_t>(p.data.length, 1));
  spec.total_parameters = arm.cost.total;
  spec.key = key_of(spec, p.data);
  return spec;
}

Prepared prepare(const Experiment& e, const Store& store) {
  Prepared p{.experiment = e};
  const Data about = describe_data(e);
  const auto read = [&](const SpeedOf& speed) { return expand(p.experiment, about, speed); };
  const auto unknown = [](const Arm&) { return std::nullopt; };
  if (e.equal.what != Held::seconds) {
    p.arms = *read(unknown);
    int64_t tokens = 0, sequences = 1;
    for (const ExpandedArm& x : p.arms) {
      tokens = std::max(tokens, x.tokens);
      sequences = x.sequences;
    }
    p.data = make_data(e, store.folder(), tokens, sequences);
    return p;
  }
  // As many rows as the slowest arm needs are those of all; faster ones read them again.
  p.data = make_data(e, store.folder(), e.tokens, 1);
  std::map<std::string, double> seconds;
  for (const Arm& arm : p.experiment.arms) {
    RunSpec spec = speed_spec(p, arm);
    if (const auto result = store.result(spec.key))
      seconds[arm.name] = 1 / result->metrics.value("tokens_per_second", 1.0);
    p.speed_runs.push_back(std::move(spec));
  }
  const auto measured = [&](const Arm& arm) {
    const auto it = seconds.find(arm.name);
    return it == seconds.end() ? std::nullopt : std::optional(it->second);
  };
  if (auto arms = read(measured)) p.arms = std::move(*arms);
  return p;
}

std::optional<BestRate> best_rate(const Prepared& p, const ExpandedArm& arm, const Store& store) {
  const std::vector<double>& rates = arm.arm.rates;
  if (rates.size() == 1) return BestRate{rates[0], false};
  BestRate best;
  double least = std::numeric_limits<double>::infinity();
  for (const double rate : rates) {
    const auto result = store.result(run_spec(p, arm, rate, p.experiment.seeds[0]).key);
    if (!result) return {};
    const Json& m = result->metrics;
    double loss =
        m.contains("answer_loss") ? m["answer_loss"].get<double>() : m.value("loss", 1e30);
    if (result->diverged) loss = 1e30;
    if (loss < least) {
      least = loss;
      best = {rate, rate == rates.front() || rate == rates.back()};
    }
  }
  return best;
}

Plan plan(const Prepared& p, const Store& store) {
  Plan plan;
  if (p.arms.empty()) {
    plan.runs = p.speed_runs;
    plan.later = std::ssize(p.experiment.arms) * std::ssize(p.experiment.seeds);
    return plan;
  }
  plan.complete = true;
  for (const ExpandedArm& arm : p.arms) {
    std::vector<std::pair<double, uint64_t>> wanted;
    const auto add = [&](double rate, uint64_t seed) {
      const std::pair<double, uint64_t> one{rate, seed};
      if (std::find(wanted.begin(), wanted.end(), one) == wanted.end()) wanted.push_back(one);
    };
    const std::vector<uint64_t> seeds = seeds_of(p.experiment, arm.arm.name);
    const auto& forecast = p.experiment.forecast;
    if (forecast && forecast->to == arm.arm.name && !forecast_of(p, store)) {
      // It is predicted before it runs.
      plan.complete = false;
      plan.later += std::ssize(arm.arm.rates) + std::ssize(seeds) - 1;
      continue;
    }
    for (const double rate : arm.arm.rates) {
      add(rate, p.experiment.seeds[0]);
      if (!p.experiment.all_rates) continue;
      for (const uint64_t seed : p.experiment.seeds) add(rate, seed);
    }
    if (const auto best = best_rate(p, arm, store)) {
      for (const uint64_t seed : seeds) add(best->rate, seed);
    } else {
      plan.complete = false;
      plan.later +=
          std::ssize(seeds) - (p.experiment.all_rates ? std::ssize(p.experiment.seeds) : 1);
    }
    for (const auto& [rate, seed] : wanted) plan.runs.push_back(run_spec(p, arm, rate, seed));
  }
  return plan;
}

}  // namespace ashlar::lab
