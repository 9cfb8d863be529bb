// From runs to arms, from arms to criteria.
#include "lab/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/error.h"
#include "lab/campaign.h"
#include "lab/forecast.h"
#include "lab/metrics.h"
#include "lab/statistics.h"

namespace ashlar::lab {
namespace {

/// All runs of an arm that have ended, by rate and seed.
struct ArmRuns {
  const ExpandedArm* arm = nullptr;
  std::map<std::pair<double, uint64_t>, RunResult> runs;
  std::optional<BestRate> best;
  int64_t later = 0;

  const RunResult* at(double rate, uint64_t seed) const {
    const auto it = runs.find({rate, seed});
    return it == runs.end() ? nullptr : &it->second;
  }
  /// A metric of a seed: at this rate, at the best one, or over all rates.
  std::optional<double> value(const std::string& name, uint64_t seed,
                              std::optional<double> rate) const {
    if (metric(name).of_rates) return over_rates(name, seed);
    const Json v = of_run(name, seed, rate);
    return v.is_number() ? std::optional(v.get<double>()) : std::nullopt;
  }
  /// A number or list of the run of a seed at this rate, or at the best one; null where there is
  /// none.
  Json of_run(const std::string& name, uint64_t seed, std::optional<double> rate) const {
    if (!rate && best) rate = best->rate;
    const RunResult* r = rate ? at(*rate, seed) : nullptr;
    return r == nullptr ? Json() : r->metrics.value(name, Json());
  }

 private:
  std::optional<double> over_rates(const std::string& name, uint64_t seed) const {
    std::vector<std::pair<double, double>> losses;
    double first = std::numeric_limits<double>::infinity();
    for (const double rate : arm->arm.rates) {
      const RunResult* r = at(rate, seed);
      if (r == nullptr) return {};
      losses.emplace_back(rate, r->metrics.value("loss", 0.0));
      first = std::min(first, r->metrics.value("first_loss", 0.0));
    }
    if (name == "sensitivity") return sensitivity(losses, first);
    double least = std::numeric_limits<double>::infinity();
    for (const auto& [rate, loss] : losses) least = std::min(least, loss);
    if (name == "best_loss") return least;
    double low = 0, high = 0;
    constexpr double kNear = 0.1;
    for (const auto& [rate, loss] : losses) {
      if (loss > least + kNear) continue;
      if (low == 0) low = rate;
      high = rate;
    }
    return std::log(high / low);
  }
};

Json numbers(const Interval& i) {
  const auto finite = [](double x) { return std::isfinite(x) ? Json(x) : Json(); };
  return {{"mean", i.mean},
          {"low", finite(i.low)},
          {"high", finite(i.high)},
          {"count", i.count},
          {"smallest_detectable", finite(i.smallest_detectable)}};
}

Json arm_json(const Prepared& p, const ArmRuns& a) {
  const ExpandedArm& x = *a.arm;
  Json json = {
      {"name", x.arm.name},
      {"about", x.arm.about},
      {"parameters", {{"total", x.cost.total}, {"active", x.cost.active}, {"body", x.cost.body}}},
      {"flops_per_token", x.cost.flops_per_token},
      {"state_bytes", x.cost.state_bytes},
      {"memory_bytes", x.cost.memory_bytes},
      {"tokens", x.tokens},
      {"steps", x.steps}};
  if (!x.knob.empty()) json["knob"] = {{"path", x.knob}, {"value", x.value}, {"off", x.off}};
  Json& differs = json["differs"] = Json::array();
  for (const Difference& d : x.differences)
    differs.push_back(fmt::format("{}: {} instead of {}", d.path, d.b, d.a));
  if (a.best) {
    json["rate"] = a.best->rate;
    json["rate_at_edge"] = a.best->at_edge;
  }
  Json& rates = json["rates"] = Json::array();
  for (const auto& [key, r] : a.runs) {
    rates.push_back({{"rate", key.first},
                     {"seed", key.second},
                     {"loss", r.metrics.value("loss", 0.0)},
                     {"diverged", r.diverged}});
    if (r.metrics.contains("max_logit")) rates.back()["max_logit"] = r.metrics["max_logit"];
  }
  Json& runs = json["runs"] = Json::array();
  const RunResult* first = nullptr;
  for (const uint64_t seed : seeds_of(p.experiment, x.arm.name)) {
    const RunResult* r = a.best ? a.at(a.best->rate, seed) : nullptr;
    if (r == nullptr) continue;
    runs.push_back({{"seed", seed}, {"key", r->key}, {"metrics", r->metrics}});
    if (first == nullptr) first = r;
  }
  if (first != nullptr) {
    json["curve"] = first->curve;
    if (first->score.is_object()) {
      json["by_position"] = first->score["by_position"];
      json["by_domain"] = first->score.value("by_domain", Json());
      json["beyond"] = first->score.value("beyond", Json());
      if (first->score.contains("answers"))
        json["by_difficulty"] = first->score["answers"]["by_difficulty"];
    }
  }
  return json;
}

/// Differences of the events of a seed, those that both arms have.
std::vector<double> event_differences(const Criterion& c, const ArmRuns& arm,
                                      const ArmRuns& against, uint64_t seed) {
  const std::string& each = metric(c.metric).each;
  const Json a = arm.of_run(each, seed, c.rate), b = against.of_run(each, seed, c.rate);
  std::vector<double> differences;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (a[i].is_number() && b[i].is_number())
      differences.push_back(a[i].get<double>() - b[i].get<double>());
  }
  return differences;
}

/// What a person reads first.
std::string sentence_of(const Criterion& c, Verdict verdict, double of_arm, double of_other,
                        const Interval& d, const Signs& signs, double about) {
  if (verdict == Verdict::missing) return fmt::format("Not run to its end yet: {}.", c.says);
  const std::string range =
      std::isfinite(d.low)
          ? fmt::format("95 % interval {:+.4g} to {:+.4g}, {} seeds", d.low, d.high, d.count)
          : "one seed, no interval";
  std::string text = fmt::format(
      "{}: {}{} of {} is {:.4g}, of {} {:.4g}; difference {:+.4g} ({})", enum_name(verdict),
      c.rate ? fmt::format("at rate {:g}, ", *c.rate) : "", c.metric, c.arm, of_arm,
      c.number ? fmt::format("{:g}", *c.number) : c.against, of_other, d.mean, range);
  if (c.by_signs) {
    text += fmt::format("; below {:g} in {} of {} events, sign test p = {:.2g}", about + 0.0,
                        signs.below, signs.below + signs.above, signs.p);
  } else if (verdict == Verdict::inconclusive && std::isfinite(d.smallest_detectable)) {
    text += fmt::format("; these seeds would have shown {:.2g}", d.smallest_detectable);
  }
  text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text + ".";
}

/// `number` stands in place of another arm.
Json criterion_json(const Criterion& c, const Experiment& e, const ArmRuns& arm,
                    const ArmRuns* against, std::optional<double> number) {
  std::vector<double> differences, of_arm, of_other, of_events;
  Json pairs = Json::array();
  for (const uint64_t seed : e.seeds) {
    const std::optional<double> a = arm.value(c.metric, seed, c.rate);
    const std::optional<double> b =
        against != nullptr ? against->value(c.metric, seed, c.rate) : number;
    if (!a || !b) continue;
    differences.push_back(*a - *b);
    of_arm.push_back(*a);
    of_other.push_back(*b);
    pairs.push_back({{"seed", seed}, {"arm", *a}, {"against", *b}, {"difference", *a - *b}});
    if (!c.by_signs) continue;
    const std::vector<double> events = event_differences(c, arm, *against, seed);
    of_events.insert(of_events.end(), events.begin(), events.end());
  }
  const Interval interval = interval_of(differences);
  const double about = c.direction == Direction::lower ? -c.size : c.size;
  const Signs signs = signs_of(of_events, about);
  // A criterion is judged by all the seeds that were registered, not by those that came first.
  const Verdict verdict = differences.size() < e.seeds.size() ? Verdict::missing
                          : c.by_signs                        ? verdict_of(c, signs)
                                                              : verdict_of(c, interval);
  Json json = {{"id", c.id},
               {"says", c.says},
               {"claim", c.claim},
               {"metric", c.metric},
               {"metric_says", metric(c.metric).says},
               {"arm", c.arm},
               {"against", c.number ? Json(*c.number) : Json(c.against)},
               {"direction", enum_name(c.direction)},
               {"size", c.size},
               {"rate", c.rate ? Json(*c.rate) : Json()},
               {"arm_mean", mean(of_arm)},
               {"against_mean", mean(of_other)},
               {"difference", numbers(interval)},
               {"seeds", pairs},
               {"signs", Json()},
               {"verdict", enum_name(verdict)}};
  if (c.by_signs) {
    json["signs"] = {
        {"about", about}, {"below", signs.below}, {"above", signs.above}, {"p", signs.p}};
  }
  json["sentence"] = sentence_of(c, verdict, mean(of_arm), mean(of_other), interval, signs, about);
  return json;
}

/// Loss of an arm's training curve when it has used up so much; nothing beyond its end.
std::optional<double> loss_at(const Json& curve, double tokens) {
  const Json &x = curve["tokens"], &y = curve["loss"];
  for (size_t i = 1; i < x.size(); ++i) {
    const double a = x[i - 1], b = x[i];
    if (tokens > b && i + 1 < x.size()) continue;
    const double share = std::clamp((tokens - a) / (b - a), 0.0, 1.0);
    return y[i - 1].get<double>() + share * (y[i].get<double>() - y[i - 1].get<double>());
  }
  return {};
}

/// Three answers to which arm learns best: at equal tokens, operations and seconds, from the
/// training curves, up to what the arm that gets least has used.
void add_budgets(Json& json) {
  struct Price {
    const char* name;
    double (*of)(const Json& arm);
  };
  static constexpr Price kPrices[] = {
      {"tokens", [](const Json&) { return 1.0; }},
      {"flops", [](const Json& a) { return a["flops_per_token"].get<double>(); }},
      {"seconds",
       [](const Json& a) { return 1 / a["runs"][0]["metrics"].value("tokens_per_second", 1.0); }}};
  Json& all = json["at_equal"] = Json::array();
  for (const Price& price : kPrices) {
    double budget = std::numeric_limits<double>::infinity();
    for (const Json& a : json["arms"]) {
      if (a.contains("curve") && !a["curve"]["tokens"].empty())
        budget = std::min(budget, price.of(a) * a["curve"]["tokens"].back().get<double>());
    }
    if (!std::isfinite(budget)) continue;
    Json losses = Json::object();
    for (const Json& a : json["arms"]) {
      if (!a.contains("curve")) continue;
      if (const auto loss = loss_at(a["curve"], budget / price.of(a)))
        losses[a["name"].get<std::string>()] = *loss;
    }
    all.push_back({{"budget", price.name}, {"amount", budget}, {"loss", losses}});
  }
}

/// A metric of an arm's seeds at its best rate, or over all rates.
std::vector<double> values_of(const ArmRuns& arm, const std::string& metric,
                              const std::vector<uint64_t>& seeds) {
  std::vector<double> values;
  for (const uint64_t seed : seeds) {
    if (const auto v = arm.value(metric, seed, {})) values.push_back(*v);
  }
  return values;
}

void add_noise(const Experiment& e, const ArmRuns* baseline, Json& json) {
  if (baseline == nullptr) return;
  Json& noise = json["noise"] = {{"arm", e.baseline}};
  for (const std::string& name : e.show) {
    const std::vector<double> values = values_of(*baseline, name, seeds_of(e, e.baseline));
    if (values.size() < 2) continue;
    noise["metrics"][name] = {
        {"mean", mean(values)}, {"deviation", deviation(values)}, {"seeds", values.size()}};
  }
}

/// The registered forecast beside what came.
void add_forecast(const std::optional<Json>& forecast, const Experiment& e, const ArmRuns* to,
                  Json& json) {
  json["forecast"] = forecast ? *forecast : Json();
  if (!forecast) return;
  const std::vector<double> found = values_of(*to, forecast->at("metric"), e.seeds);
  Json& f = json["forecast"];
  f["measured"] = found;
  f["off"] = found.empty() ? Json() : Json(mean(found) / f["prediction"]["mean"].get<double>() - 1);
  const Json& p = f["prediction"];
  f["inside"] = found.empty() || p["low"].is_null() ? Json()
                                                    : Json(mean(found) >= p["low"].get<double>() &&
                                                           mean(found) <= p["high"].get<double>());
}

/// All criteria together: refuted where one is, confirmed where all are, missing where nothing
/// ran, else inconclusive.
std::string overall(const Json& criteria) {
  const auto count = [&](const char* verdict) {
    return std::count_if(criteria.begin(), criteria.end(),
                         [&](const Json& c) { return c["verdict"] == verdict; });
  };
  if (count("missing") == std::ssize(criteria)) return "missing";
  if (count("refuted") > 0) return "refuted";
  return count("confirmed") == std::ssize(criteria) ? "confirmed" : "inconclusive";
}

}  // namespace

Json results_of(const Experiment& e, const Store& store) {
  const Prepared p = prepare(e, store);
  const Plan all = plan(p, store);
  std::vector<ArmRuns> arms;
  for (const ExpandedArm& x : p.arms) arms.push_back({.arm = &x, .best = best_rate(p, x, store)});
  std::set<std::string> machines, commits, kernels, dates;
  int64_t ended = 0, diverged = 0;
  double seconds = 0;
  for (const RunSpec& spec : all.runs) {
    const auto r = store.result(spec.key);
    if (!r) continue;
    ++ended;
    diverged += r->diverged ? 1 : 0;
    seconds += r->seconds;
    machines.insert(r->machine);
    commits.insert(r->commit);
    kernels.insert(r->kernels);
    dates.insert(r->date);
    for (ArmRuns& a : arms) {
      if (a.arm->arm.name == spec.arm) a.runs[{spec.rate, spec.seed}] = *r;
    }
  }
  const Registered registered = store.registered(e.id);
  Json json = {
      {"id", e.id},
      {"title", e.title},
      {"question", e.question},
      {"source", e.source},
      {"claims", e.claims},
      {"hypothesis", e.hypothesis},
      {"cannot_show", e.cannot_show},
      {"file_hash", e.hash},
      {"registered",
       {{"date", registered.date},
        {"hash", registered.hash},
        {"criteria_changed",
         !registered.criteria_hash.empty() && registered.criteria_hash != e.criteria_hash}}},
      {"machines", machines},
      {"commits", commits},
      {"kernels", kernels},
      {"dates", dates},
      {"data",
       {{"says", p.data.says},
        {"length", p.data.length},
        {"vocab", p.data.vocab},
        {"entropy", p.data.entropy >= 0 ? Json(p.data.entropy) : Json()},
        {"difficulty", p.data.difficulty}}},
      {"equal", {{"what", enum_name(e.equal.what)}, {"to", e.equal.to}, {"knob", e.equal.knob}}},
      {"tokens", e.tokens},
      {"seeds", e.seeds},
      {"baseline", e.baseline},
      {"show", e.show},
      {"runs",
       {{"ended", ended},
        {"wanted", std::ssize(all.runs) + all.later},
        {"diverged", diverged},
        {"seconds", seconds}}}};
  Json& list = json["arms"] = Json::array();
  for (const ArmRuns& a : arms) list.push_back(arm_json(p, a));
  add_budgets(json);
  const auto of = [&](const std::string& name) -> const ArmRuns* {
    for (const ArmRuns& a : arms) {
      if (a.arm->arm.name == name) return &a;
    }
    return nullptr;
  };
  add_noise(e, of(e.baseline), json);
  const std::optional<Json> forecast = forecast_of(p, store);
  add_forecast(forecast, e, forecast ? of(forecast->at("to")) : nullptr, json);
  Json& criteria = json["criteria"] = Json::array();
  for (const Criterion& c : e.criteria) {
    static const ArmRuns kNone;
    const ArmRuns* arm = of(c.arm);
    std::optional<double> number = c.number;
    if (c.against == "forecast" && forecast) number = (*forecast)["prediction"]["mean"];
    criteria.push_back(criterion_json(c, e, arm != nullptr ? *arm : kNone,
                                      c.number ? nullptr : of(c.against), number));
  }
  json["verdict"] = overall(criteria);
  return json;
}

void write_results(const Json& results, const std::filesystem::path& folder) {
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  write_file(folder / (results["id"].get<std::string>() + ".json"), results.dump(1) + "\n");
}

}  // namespace ashlar::lab
