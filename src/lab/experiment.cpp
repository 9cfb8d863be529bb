// The file, key by key.
#include "lab/experiment.h"

#include <algorithm>
#include <set>

#include "base/edit_distance.h"
#include "base/error.h"
#include "base/hash.h"
#include "embedded/data.h"
#include "lab/metrics.h"
#include "runs/settings_json.h"

namespace ashlar::lab {
namespace {

namespace fs = std::filesystem;

template <class T>
std::vector<T> list_of(const Json& json, const std::string& where) {
  std::vector<T> list;
  if (json.is_null()) return list;
  if (!json.is_array())
    fail(ErrorKind::invalid, "{}: expected a list, found {}", where, json.dump());
  for (const Json& item : json) SettingsReader::read(item, where, list.emplace_back());
  return list;
}

Json object_of(const Json& json, const std::string& where) {
  if (json.is_null()) return Json::object();
  if (!json.is_object())
    fail(ErrorKind::invalid, "{}: expected an object, found {}", where, json.dump());
  return json;
}

/// The name of `names` that is meant. Throws Error(invalid) with the nearest.
size_t one_of(const std::string& name, const std::vector<std::string>& names,
              const std::string& where) {
  const auto it = std::find(names.begin(), names.end(), name);
  if (it != names.end()) return static_cast<size_t>(it - names.begin());
  fail(ErrorKind::invalid, "{}: there is no {}; did you mean {}?", where, name,
       nearest(name, names, 1).at(0));
}

template <class E>
E one_of(const std::string& name, const std::string& where) {
  const auto names = enum_names(E{});
  return static_cast<E>(one_of(name, {names.begin(), names.end()}, where));
}

std::vector<std::string> arm_names(const Experiment& e) {
  std::vector<std::string> names;
  for (const Arm& a : e.arms) names.push_back(a.name);
  return names;
}

void read_arms(const Json& json, Experiment& e) {
  if (!json.is_object() || json.empty())
    fail(ErrorKind::invalid, "arms: expected {{name: {{\"change\": ...}}, ...}}");
  for (const auto& [name, value] : json.items()) {
    const std::string where = "arms." + name;
    if (!value.is_object()) fail(ErrorKind::invalid, "{}: expected an object", where);
    Arm arm{.name = name};
    SettingsReader r(value, where);
    r("about", arm.about);
    r.allow("change");
    r.allow("run");
    r("rates", arm.rates);
    r("knob", arm.knob);
    r("rate_factor", arm.rate_factor);
    r.allow("equal");
    r.finish();
    arm.change = object_of(value.value("change", Json()), where + ".change");
    arm.run = object_of(value.value("run", Json()), where + ".run");
    e.arms.push_back(std::move(arm));
  }
}

Equal read_equal(const Json& json, const std::string& where) {
  Equal equal{.within = 0.005};
  if (json.is_null()) return equal;
  std::string what;
  SettingsReader r(json, where);
  r("what", what);
  r("knob", equal.knob);
  r("to", equal.to);
  r("within", equal.within);
  r.finish();
  equal.what = one_of<Held>(what, where + ".what");
  const bool by_tokens = equal.what == Held::flops || equal.what == Held::seconds;
  if (by_tokens && equal.knob.empty()) equal.knob = "tokens";
  if (by_tokens != (equal.knob == "tokens")) {
    fail(ErrorKind::invalid, "{}: {} is held equal by {}", where, what,
         by_tokens ? "the knob tokens" : "a knob of the blueprint, not by tokens");
  }
  if (equal.what != Held::nothing && equal.knob.empty())
    fail(ErrorKind::invalid, "{}.knob: is missing: what is changed until {} is equal", where, what);
  if (!(equal.within > 0 && equal.within <= 0.005))
    fail(ErrorKind::invalid, "{}.within: expected at most 0.005, found {}", where, equal.within);
  return equal;
}

/// Equality of all arms, and of some by themselves to one that stands before them.
void read_equals(const Json& json, Experiment& e) {
  const std::vector<std::string> names = arm_names(e);
  e.equal = read_equal(json.value("equal", Json()), "equal");
  if (e.equal.to.empty()) e.equal.to = e.baseline;
  one_of(e.equal.to, names, "equal.to");
  for (size_t i = 0; i < e.arms.size(); ++i) {
    const Json& own = json["arms"][e.arms[i].name];
    if (!own.contains("equal")) continue;
    const std::string where = "arms." + e.arms[i].name + ".equal";
    Equal equal = read_equal(own["equal"], where);
    if (equal.knob == "tokens")
      fail(ErrorKind::invalid, "{}: tokens are held equal for all arms or none", where);
    if (equal.what != Held::nothing && one_of(equal.to, names, where + ".to") >= i)
      fail(ErrorKind::invalid, "{}.to: expected an arm that stands before it", where);
    e.arms[i].equal = equal;
  }
}

void read_forecast(const Json& json, Experiment& e) {
  if (json.is_null()) return;
  Forecast f;
  std::string over = "body";
  SettingsReader r(json, "forecast");
  r("metric", f.metric);
  r("over", over);
  r("from", f.from);
  r("to", f.to);
  r.allow("floor");
  r.finish();
  f.over = one_of<Held>(over, "forecast.over");
  if (f.over == Held::nothing || f.over == Held::state || f.over == Held::seconds)
    fail(ErrorKind::invalid, "forecast.over: {} is no size of a model", over);
  one_of(f.metric, metric_names(), "forecast.metric");
  if (metric(f.metric).of_rates)
    fail(ErrorKind::invalid, "forecast.metric: {} is taken over all rates", f.metric);
  const Json floor = json.value("floor", Json());
  if (floor.is_number()) f.floor = floor.get<double>();
  f.entropy = floor == "entropy";
  if (!floor.is_null() && !f.floor && !f.entropy)
    fail(ErrorKind::invalid, "forecast.floor: expected a number or \"entropy\"");
  one_of(f.to, arm_names(e), "forecast.to");
  for (const std::string& name : f.from) one_of(name, arm_names(e), "forecast.from");
  const size_t least = f.floor || f.entropy ? 2 : 3;
  if (f.from.size() < least || std::count(f.from.begin(), f.from.end(), f.to) > 0)
    fail(ErrorKind::invalid, "forecast.from: expected at least {} other arms", least);
  e.forecast = std::move(f);
}

void read_criteria(const Json& json, Experiment& e) {
  if (!json.is_array() || json.empty())
    fail(ErrorKind::invalid,
         "criteria: expected at least one: {{\"id\", \"metric\", \"arm\", ...}}");
  const std::vector<std::string> arms = arm_names(e);
  std::set<std::string> ids;
  for (const Json& item : json) {
    Criterion c;
    const std::string where = "criteria[" + std::to_string(e.criteria.size()) + "]";
    if (!item.is_object()) fail(ErrorKind::invalid, "{}: expected an object", where);
    std::string direction, test = "interval";
    SettingsReader r(item, where);
    r("id", c.id);
    r("says", c.says);
    r("claim", c.claim);
    r("metric", c.metric);
    r("arm", c.arm);
    r("direction", direction);
    r("size", c.size);
    r("test", test);
    r.allow("against");
    r.allow("rate");
    r.finish();
    const Json against = item.value("against", Json());
    if (against.is_number())
      c.number = against.get<double>();
    else if (against.is_string())
      c.against = against.get<std::string>();
    else
      c.against = e.baseline;
    if (const Json rate = item.value("rate", Json()); !rate.is_null())
      SettingsReader::read(rate, where + ".rate", c.rate.emplace());
    if (c.id.empty() || !ids.insert(c.id).second)
      fail(ErrorKind::invalid, "{}: expected an id of its own", where);
    one_of(c.metric, metric_names(), where + ".metric");
    one_of(c.arm, arms, where + ".arm");
    if (c.against == "forecast") {
      if (!e.forecast || e.forecast->to != c.arm || e.forecast->metric != c.metric)
        fail(ErrorKind::invalid, "{}: there is no forecast of {} of {}", where, c.metric, c.arm);
    } else if (!c.number) {
      one_of(c.against, arms, where + ".against");
    }
    if (!c.number && c.arm == c.against)
      fail(ErrorKind::invalid, "{}: arm and against are both {}", where, c.arm);
    c.direction = one_of<Direction>(direction, where + ".direction");
    if (c.size < 0) fail(ErrorKind::invalid, "{}.size: expected a number from 0", where);
    if (c.direction == Direction::equal && c.size == 0)
      fail(ErrorKind::invalid, "{}.size: equal within what? expected a number above 0", where);
    if (metric(c.metric).of_rates && (!e.all_rates || c.rate)) {
      fail(ErrorKind::invalid,
           "{}: {} is taken over all rates: write \"rates\": {{\"grid\": [...], \"seeds_at\": "
           "\"all\"}}, and no rate here",
           where, c.metric);
    }
    c.by_signs = one_of(test, {"interval", "sign"}, where + ".test") == 1;
    if (c.by_signs && (metric(c.metric).each.empty() || c.number || c.against == "forecast" ||
                       c.direction == Direction::equal)) {
      fail(ErrorKind::invalid,
           "{}.test: the sign test counts the events in which two arms differ: it takes a metric "
           "of events (response), another arm, and lower or higher",
           where);
    }
    if (c.rate && !e.all_rates)
      fail(ErrorKind::invalid, "{}.rate: needs \"seeds_at\": \"all\" in rates", where);
    e.criteria.push_back(std::move(c));
  }
}

void read_rates(const Json& json, Experiment& e) {
  std::string seeds_at = "best";
  if (json.is_array()) {
    e.rates = list_of<double>(json, "rates");
  } else {
    const Json object = object_of(json, "rates");
    SettingsReader r(object, "rates");
    r("grid", e.rates);
    r("seeds_at", seeds_at);
    r.finish();
  }
  e.all_rates = one_of(seeds_at, {"best", "all"}, "rates.seeds_at") == 1;
  const auto check = [](std::vector<double>& rates, const std::string& where) {
    std::sort(rates.begin(), rates.end());
    if (rates.empty() || !(rates[0] > 0))
      fail(ErrorKind::invalid, "{}: expected learning rates above 0", where);
  };
  check(e.rates, "rates.grid");
  for (Arm& a : e.arms) {
    if (a.rates.empty()) {
      for (const double rate : e.rates) a.rates.push_back(rate * a.rate_factor);
    }
    check(a.rates, "arms." + a.name + ".rates");
  }
}

/// What every run gets from the experiment and not from `run`.
void check_run(const Json& run, const std::string& where) {
  for (const char* key : {"model", "seed", "out", "data", "write_model", "init.from", "steps"}) {
    if (run.contains(key)) {
      fail(ErrorKind::invalid, "{}.{}: is what the experiment itself decides (docs/lab.md)", where,
           key);
    }
  }
  if (run.contains("optimiser") && run["optimiser"].contains("rate"))
    fail(ErrorKind::invalid, "{}.optimiser.rate: rates are tried for each arm: write them in rates",
         where);
}

}  // namespace

const Arm& Experiment::arm(const std::string& name) const {
  for (const Arm& a : arms) {
    if (a.name == name) return a;
  }
  fail(ErrorKind::invalid, "{}: has no arm {}", id, name);
}

Experiment experiment_from_json(const Json& json, const fs::path& file) {
  Experiment e;
  e.file = file;
  e.json = json;
  e.hash = hex(hashed(json.dump()));
  if (!json.is_object()) fail(ErrorKind::invalid, "expected an object");
  SettingsReader r(json, "");
  r("id", e.id);
  r("title", e.title);
  r("question", e.question);
  r("source", e.source);
  r("hypothesis", e.hypothesis);
  r("cannot_show", e.cannot_show);
  for (const char* key : {"claims", "criteria", "base", "run", "data", "arms", "equal", "rates",
                          "seeds", "show", "forecast"})
    r.allow(key);
  r("tokens", e.tokens);
  r("baseline", e.baseline);
  r("noise_seeds", e.noise_seeds);
  r("evaluation_rows", e.evaluation_rows);
  r("buckets", e.buckets);
  r("beyond", e.beyond);
  if (json.contains("events")) SettingsReader::read(json["events"], "events", e.events);
  r.allow("events");
  r.finish();
  for (const auto& [key, value] :
       {std::pair{"id", &e.id}, {"question", &e.question}, {"hypothesis", &e.hypothesis}}) {
    if (value->empty()) fail(ErrorKind::invalid, "{}: is missing", key);
  }
  if (e.title.empty()) e.title = e.id;
  e.claims = list_of<std::string>(json.value("claims", Json()), "claims");
  e.base = json.value("base", Json());
  if (e.base.is_null())
    fail(ErrorKind::invalid,
         "base: is missing: a blueprint, or {{\"base\": NAME, \"change\": ...}}");
  e.run = object_of(json.value("run", Json()), "run");
  check_run(e.run, "run");
  e.data = object_of(json.value("data", Json()), "data");
  read_arms(json.value("arms", Json()), e);
  for (const Arm& a : e.arms) check_run(a.run, "arms." + a.name + ".run");
  if (e.baseline.empty()) e.baseline = e.arms[0].name;
  one_of(e.baseline, arm_names(e), "baseline");
  read_equals(json, e);
  read_rates(json.value("rates", Json()), e);
  for (const int64_t seed : list_of<int64_t>(json.value("seeds", Json()), "seeds"))
    e.seeds.push_back(static_cast<uint64_t>(seed));
  if (e.seeds.empty() ||
      std::set<uint64_t>(e.seeds.begin(), e.seeds.end()).size() != e.seeds.size())
    fail(ErrorKind::invalid, "seeds: expected at least one, each once");
  if (e.tokens < 1) fail(ErrorKind::invalid, "tokens: expected how many each run reads");
  if (e.buckets < 1) fail(ErrorKind::invalid, "buckets: expected at least 1");
  if (e.beyond != 0 && (e.beyond < 2 || e.beyond > 64))
    fail(ErrorKind::invalid, "beyond: expected how many times as long, 2 to 64, or 0");
  if (e.events.count < 0 || e.events.longest < 1)
    fail(ErrorKind::invalid, "events: expected a count from 0 and longest from 1");
  read_forecast(json.value("forecast", Json()), e);
  read_criteria(json.value("criteria", Json()), e);
  e.show = list_of<std::string>(json.value("show", Json()), "show");
  if (e.show.empty()) e.show = {"loss", "seconds"};
  for (const std::string& name : e.show) one_of(name, metric_names(), "show");
  e.criteria_hash =
      hex(hashed(Json{{"hypothesis", e.hypothesis}, {"criteria", json["criteria"]}}.dump()));
  return e;
}

std::vector<std::string> experiment_ids() { return data_names("experiments"); }

std::vector<std::string> campaign_ids(const std::string& name) {
  if (name == "quick") return {"noise", "norms", "norms-gradients", "expert-collapse", "depth"};
  std::vector<std::string> ids;
  if (name != "default") return ids;
  for (const std::string& id : experiment_ids()) {
    if (find_experiment(id).data.contains("task")) ids.push_back(id);
  }
  return ids;
}

Experiment find_experiment(const std::string& name) {
  std::error_code code;
  if (fs::is_regular_file(name, code)) {
    const Json json = read_json(name);
    try {
      return experiment_from_json(json, fs::absolute(name).lexically_normal());
    } catch (const Error& e) {
      throw Error(e.kind(), name + ": " + e.what());
    }
  }
  const std::optional<DataFile> file = find_data("experiments", name);
  if (file) return experiment_from_json(parse_json(file->text, file->where), file->where);
  const std::vector<std::string> near = nearest(name, experiment_ids(), 1);
  fail(ErrorKind::io, "{}: there is no such file, and no experiment of that name{}", name,
       near.empty() ? "" : "; the nearest is " + near[0]);
}

}  // namespace ashlar::lab
