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
    if (metric_of_rates(name)) return over_rates(name, seed);
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
  const std::string each = metric_each(c.metric);
  const Json a = arm.of_run(each, seed, c.rate), b = against.of_run(each, seed, c.rate);
  std::vector<double> differences;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (a[i].is_number() && b[i].is_number())
      differences.push_back(a[i].get<double>() - b[i].get<double>());
  }
  return differences;
}

/// `number` stands in place of another arm.
Json criterion_json(const Criterion& c, const Experiment& e, const ArmRuns& arm,
                    const ArmRuns* against, std::optional<double> number, Verdict& verdict) {
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
  verdict = differences.size() < e.seeds.size() ? Verdict::missing
            : c.by_signs                        ? verdict_of(c, signs)
                                                : verdict_of(c, interval);
  Json json = {{"id", c.id},
               {"says", c.says},
               {"claim", c.claim},
               {"metric", c.metric},
               {"metric_says", metric_says(c.metric)},
               {"arm", c.arm},
               {"against", c.number ? Json(*c.number) : Json(c.against)},
               {"direction", to_string(c.direction)},
               {"size", c.size},
               {"rate", c.rate ? Json(*c.rate) : Json()},
               {"arm_mean", mean(of_arm)},
               {"against_mean", mean(of_other)},
               {"difference", numbers(interval)},
               {"seeds", pairs},
               {"signs", Json()},
               {"verdict", to_string(verdict)}};
  if (c.by_signs) {
    json["signs"] = {
        {"about", about}, {"below", signs.below}, {"above", signs.above}, {"p", signs.p}};
  }
  json["sentence"] = sentence_of(json);
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

void add_noise(const Prepared& p, const std::vector<ArmRuns>& arms, Json& json) {
  for (const ArmRuns& a : arms) {
    if (a.arm->arm.name != p.experiment.baseline) continue;
    Json& noise = json["noise"] = {{"arm", a.arm->arm.name}};
    for (const std::string& name : p.experiment.show) {
      std::vector<double> values;
      for (const uint64_t seed : seeds_of(p.experiment, a.arm->arm.name)) {
        if (const auto v = a.value(name, seed, {})) values.push_back(*v);
      }
      if (values.size() < 2) continue;
      noise["metrics"][name] = {
          {"mean", mean(values)}, {"deviation", deviation(values)}, {"seeds", values.size()}};
    }
  }
}

/// The registered forecast beside what came.
void add_forecast(const std::optional<Json>& forecast, const Experiment& e, const ArmRuns* to,
                  Json& json) {
  json["forecast"] = forecast ? *forecast : Json();
  if (!forecast) return;
  std::vector<double> found;
  for (const uint64_t seed : e.seeds) {
    if (const auto v = to->value(forecast->at("metric"), seed, {})) found.push_back(*v);
  }
  Json& f = json["forecast"];
  f["measured"] = found;
  f["off"] = found.empty() ? Json() : Json(mean(found) / f["prediction"]["mean"].get<double>() - 1);
  const Json& p = f["prediction"];
  f["inside"] = found.empty() || p["low"].is_null() ? Json()
                                                    : Json(mean(found) >= p["low"].get<double>() &&
                                                           mean(found) <= p["high"].get<double>());
}

}  // namespace

std::string overall(const std::vector<Verdict>& verdicts) {
  const auto count = [&](Verdict v) { return std::count(verdicts.begin(), verdicts.end(), v); };
  const auto all = std::ssize(verdicts);
  if (count(Verdict::missing) == all) return "missing";
  if (count(Verdict::refuted) > 0) return "refuted";
  return count(Verdict::confirmed) == all ? "confirmed" : "inconclusive";
}

std::string sentence_of(const Json& c) {
  if (c["verdict"] == "missing")
    return fmt::format("Not run to its end yet: {}.", c["says"].get<std::string>());
  const Json& d = c["difference"];
  const std::string beside = c["against"].is_string()
                                 ? c["against"].get<std::string>()
                                 : fmt::format("{:g}", c["against"].get<double>());
  const std::string range =
      d["low"].is_null()
          ? std::string("one seed, no interval")
          : fmt::format("95 % interval {:+.4g} to {:+.4g}, {} seeds", d["low"].get<double>(),
                        d["high"].get<double>(), d["count"].get<int64_t>());
  const std::string rate =
      c["rate"].is_null() ? "" : fmt::format("at rate {:g}, ", c["rate"].get<double>());
  std::string text =
      fmt::format("{}: {}{} of {} is {:.4g}, of {} {:.4g}; difference {:+.4g} ({})",
                  c["verdict"].get<std::string>(), rate, c["metric"].get<std::string>(),
                  c["arm"].get<std::string>(), c["arm_mean"].get<double>(), beside,
                  c["against_mean"].get<double>(), d["mean"].get<double>(), range);
  if (const Json& s = c["signs"]; !s.is_null()) {
    const int64_t below = s["below"], above = s["above"];
    text += fmt::format("; below {:g} in {} of {} events, sign test p = {:.2g}",
                        s["about"].get<double>() + 0.0, below, below + above, s["p"].get<double>());
  } else if (c["verdict"] == "inconclusive" && !d["smallest_detectable"].is_null()) {
    text += fmt::format("; these seeds would have shown {:.2g}",
                        d["smallest_detectable"].get<double>());
  }
  text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text + ".";
}

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
      {"equal", {{"what", to_string(e.equal.what)}, {"to", e.equal.to}, {"knob", e.equal.knob}}},
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
  add_noise(p, arms, json);
  const auto of = [&](const std::string& name) -> const ArmRuns* {
    for (const ArmRuns& a : arms) {
      if (a.arm->arm.name == name) return &a;
    }
    return nullptr;
  };
  const std::optional<Json> forecast = forecast_of(p, store);
  add_forecast(forecast, e, forecast ? of(forecast->at("to")) : nullptr, json);
  std::vector<Verdict> verdicts;
  Json& criteria = json["criteria"] = Json::array();
  for (const Criterion& c : e.criteria) {
    Verdict verdict = Verdict::missing;
    static const ArmRuns kNone;
    const ArmRuns* arm = of(c.arm);
    std::optional<double> number = c.number;
    if (c.against == "forecast" && forecast) number = (*forecast)["prediction"]["mean"];
    criteria.push_back(criterion_json(c, e, arm != nullptr ? *arm : kNone,
                                      c.number ? nullptr : of(c.against), number, verdict));
    verdicts.push_back(verdict);
  }
  json["verdict"] = overall(verdicts);
  return json;
}

void write_results(const Json& results, const std::filesystem::path& folder) {
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  write_file(folder / (results["id"].get<std::string>() + ".json"), results.dump(1) + "\n");
}

}  // namespace ashlar::lab
