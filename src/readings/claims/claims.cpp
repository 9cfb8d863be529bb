// Claims: their files, the readings they name, and the verdicts.
#include "readings/claims/claims.h"

#include <algorithm>
#include <cmath>

#include "base/edit_distance.h"
#include "base/error.h"
#include "base/json_members.h"
#include "embedded/data.h"
#include "readings/claims/claims_experiment.h"
#include "readings/claims/claims_expression.h"
#include "readings/claims/claims_figures.h"
#include "readings/count/count.h"
#include "readings/draw/words.h"
#include "readings/predict/predict.h"

namespace ashlar {
namespace fs = std::filesystem;
namespace {

const Json& member(const Json& json, const char* key, const std::string& where) {
  const auto it = json.is_object() ? json.find(key) : json.end();
  if (it == json.end()) fail(ErrorKind::format, "{}: {} is missing", where, key);
  return *it;
}

std::string text_of(const Json& json, const char* key, const std::string& where) {
  const Json& value = member(json, key, where);
  if (!value.is_string()) fail(ErrorKind::format, "{}: {}: expected a string", where, key);
  return value.get<std::string>();
}

/// An empty object where it is missing.
const Json& optional_member(const Json& json, const char* key) {
  static const Json kNone = Json::object();
  const auto it = json.is_object() ? json.find(key) : json.end();
  return it == json.end() ? kNone : *it;
}

int64_t integer(const Json& json, const char* key, int64_t fallback, const std::string& where) {
  const auto it = json.find(key);
  if (it == json.end()) return fallback;
  if (!it->is_number_integer())
    fail(ErrorKind::format, "{}: {}: expected a whole number", where, key);
  return it->get<int64_t>();
}

std::string word(const Json& json, const char* key, const char* fallback,
                 const std::string& where) {
  return json.contains(key) ? text_of(json, key, where) : fallback;
}

/// Layers one by one: runs are written out.
void expand_blocks(const Json& blocks, Json& out) {
  for (const Json& block : blocks) {
    for (int64_t i = 0; i < block.value("repeat", int64_t{1}); ++i) {
      if (block.contains("blocks")) {
        expand_blocks(block["blocks"], out);
      } else {
        out.push_back(block);
        out.back().erase("repeat");
      }
    }
  }
}

Json expanded_blueprint(const Blueprint& bp) {
  Json json = parse_json(to_json(bp), bp.name);
  Json blocks = Json::array();
  expand_blocks(json["blocks"], blocks);
  json["blocks"] = std::move(blocks);
  json["layers"] = bp.blocks.size();
  return json;
}

/// The blueprint that a reading names: a released one, perhaps with a patch (RFC 7396) to the whole
/// and one to each layer.
Blueprint blueprint_of(const std::string& name, const Json& reading, const std::string& where) {
  const Blueprint bp = load_blueprint(name);
  if (!reading.contains("patch") && !reading.contains("each_block")) return bp;
  Json json = expanded_blueprint(bp);
  json.erase("layers");
  if (reading.contains("patch")) json.merge_patch(reading["patch"]);
  if (reading.contains("each_block")) {
    Json blocks = Json::array();
    expand_blocks(json["blocks"], blocks);
    for (Json& block : blocks) block.merge_patch(reading["each_block"]);
    json["blocks"] = std::move(blocks);
  }
  return blueprint_from_json(json.dump(), where);
}

Format state_format(const Json& reading, const std::string& where) {
  const std::string name = word(reading, "state", "f16", where);
  const auto format = format_named(name);
  if (!format) fail(ErrorKind::format, "{}: state: no format is called {}", where, name);
  return *format;
}

Json count_reading(const std::string& model, const Json& r, const std::string& where) {
  const CountOptions options{.tokens = integer(r, "tokens", 512, where),
                             .context = integer(r, "context", 4096, where),
                             .sequences = integer(r, "sequences", 1, where),
                             .weights = word(r, "weights", "bf16", where),
                             .state = state_format(r, where),
                             .training = r.contains("tokens")};
  return parse_json(count_json(count(blueprint_of(model, r, where), options)), where);
}

Json plan_reading(const std::string& model, const Json& r, const std::string& where) {
  Machine machine = load_machine(text_of(r, "machine", where));
  if (r.contains("step_seconds")) machine.step_seconds = r["step_seconds"].get<double>();
  const PredictOptions options{.context = integer(r, "context", 4096, where),
                               .sequences = integer(r, "sequences", 1, where),
                               .prompt = integer(r, "prompt", 512, where),
                               .generate = integer(r, "generate", 128, where),
                               .weights = word(r, "weights", "bf16", where),
                               .state = state_format(r, where),
                               .alternatives = false};
  return parse_json(prediction_json(predict(blueprint_of(model, r, where), machine, options)),
                    where);
}

/// {"models": "all" | "moe" | "dense" | [names], "columns": {name: expression over `model`, the
/// count, and `blueprint`}} as {column: {model: number}}.
Json table_reading(const Json& r, const std::string& where) {
  const Json& models = r["models"];
  std::vector<std::string> names;
  if (models.is_array()) {
    for (const Json& name : models) names.push_back(name.get<std::string>());
  } else {
    for (const std::string& name : blueprint_names()) {
      const bool moe = has_experts(load_blueprint(name));
      if (models == "all" || (models == "moe") == moe) names.push_back(name);
    }
  }
  const Json& columns = member(r, "columns", where);
  Json table = Json::object();
  for (const auto& [column, expression] : columns.items()) table[column] = Json::object();
  for (const std::string& name : names) {
    const Json scope{{"model", count_reading(name, r, where)},
                     {"blueprint", expanded_blueprint(load_blueprint(name))}};
    for (const auto& [column, expression] : columns.items()) {
      table[column][name] =
          evaluate_expression(expression.get<std::string>(), scope, where + "." + column);
    }
  }
  return table;
}

Json measured_reading(const std::string& model, const Json& r, const std::string& where) {
  const std::string weights = text_of(r, "weights", where);
  for (const Measurement& m : stored_measurements()) {
    if (m.model != model || m.weights != weights) continue;
    return {{"prefill", m.prefill}, {"decode", m.decode},   {"machine", m.machine},
            {"date", m.date},       {"threads", m.threads}, {"known", true}};
  }
  return {{"known", false}};
}

Json read_one(const Json& r, const std::string& where) {
  if (r.contains("count")) return count_reading(text_of(r, "count", where), r, where);
  if (r.contains("plan")) return plan_reading(text_of(r, "plan", where), r, where);
  if (r.contains("blueprint"))
    return expanded_blueprint(blueprint_of(text_of(r, "blueprint", where), r, where));
  if (r.contains("measured")) return measured_reading(text_of(r, "measured", where), r, where);
  if (r.contains("models")) return table_reading(r, where);
  if (r.contains("experiment")) return experiment_reading(text_of(r, "experiment", where));
  fail(ErrorKind::format,
       "{}: expected a count, plan, blueprint, measured, models or experiment reading", where);
}

Json rounded(const Json& value) {
  if (!value.is_number_float()) return value;
  const double x = value.get<double>();
  return x == std::floor(x) && std::abs(x) < 1e15 ? Json(static_cast<int64_t>(x)) : value;
}

Json load_claim(const std::string& id) {
  const auto file = id == "measured" ? std::nullopt : find_data("claims", id);
  if (!file) {
    const std::string near = join(nearest(id, claim_ids(), 3), ", ");
    fail(ErrorKind::invalid, "claim {}: unknown; near ids: {}", id,
         near.empty() ? "none found" : near);
  }
  return parse_json(file->text, file->where);
}

/// The models that readings name, each once; not those of whole tables.
std::vector<std::string> models_of(const Json& readings) {
  std::vector<std::string> models;
  for (const Json& reading : readings) {
    for (const char* kind : {"count", "plan", "blueprint", "measured"}) {
      const auto it = reading.find(kind);
      if (it == reading.end() || !it->is_string()) continue;
      if (std::find(models.begin(), models.end(), it->get<std::string>()) == models.end())
        models.push_back(it->get<std::string>());
    }
  }
  return models;
}

/// Whether its `if` is true; without one it is.
bool applies(const Json& verdict, const Json& scope, const std::string& where) {
  if (!verdict.contains("if")) return true;
  const Json met = evaluate_expression(text_of(verdict, "if", where), scope, where + ": if");
  return met.is_boolean() ? met.get<bool>() : met.is_number() && met.get<double>() != 0;
}

Claim settle(const std::string& id) {
  const Json json = load_claim(id);
  const std::string where = "claim " + id;
  Claim claim{.id = text_of(json, "id", where),
              .statement = text_of(json, "statement", where),
              .source = text_of(json, "source", where),
              .verdict = {},
              .condition = {},
              .found = Json::object(),
              .models = models_of(optional_member(json, "readings"))};
  Json scope = Json::object();
  for (const auto& [name, reading] : optional_member(json, "readings").items())
    scope[name] = read_one(reading, where + ": " + name);
  for (const auto& [name, expression] : optional_member(json, "found").items()) {
    claim.found[name] = rounded(
        evaluate_expression(expression.get<std::string>(), scope, where + ": found." + name));
    scope[name] = claim.found[name];
  }
  for (const Json& v : member(json, "verdicts", where)) {
    if (!applies(v, scope, where)) continue;
    claim.verdict = text_of(v, "verdict", where);
    claim.condition = fill_template(word(v, "condition", "", where), scope, where + ": condition");
    break;
  }
  for (const Json& v : optional_member(json, "also")) {
    if (applies(v, scope, where))
      claim.condition +=
          ' ' + fill_template(word(v, "condition", "", where), scope, where + ": also");
  }
  if (std::ranges::find(kVerdicts, claim.verdict, &Verdict::name) == std::end(kVerdicts))
    fail(ErrorKind::format, "{}: no verdict applies, or an unknown one: \"{}\"", where,
         claim.verdict);
  return claim;
}

}  // namespace

std::vector<std::string> claim_ids() {
  std::vector<std::string> ids = data_names("claims");
  std::erase(ids, "measured");
  return ids;
}

std::vector<Claim> settle_claims(const std::vector<std::string>& ids) {
  std::vector<Claim> claims;
  for (const std::string& id : ids.empty() ? claim_ids() : ids) claims.push_back(settle(id));
  return claims;
}

std::vector<Measurement> wanted_measurements(const std::vector<std::string>& ids) {
  std::vector<Measurement> wanted;
  for (const std::string& id : ids.empty() ? claim_ids() : ids) {
    const Json json = load_claim(id);
    for (const auto& [name, r] : optional_member(json, "readings").items()) {
      if (!r.contains("measured")) continue;
      Measurement m{.model = text_of(r, "measured", id), .weights = text_of(r, "weights", id)};
      const bool found = std::any_of(wanted.begin(), wanted.end(), [&](const Measurement& w) {
        return w.model == m.model && w.weights == m.weights;
      });
      if (!found) wanted.push_back(std::move(m));
    }
  }
  return wanted;
}

std::vector<std::string> claim_experiments(const std::string& id) {
  const Json json = load_claim(id);
  std::vector<std::string> ids;
  for (const auto& [name, r] : optional_member(json, "readings").items()) {
    if (r.contains("experiment")) ids.push_back(text_of(r, "experiment", id));
  }
  return ids;
}

fs::path measurements_file() { return probed_machine_file().parent_path() / "measured.json"; }

std::vector<Measurement> stored_measurements() {
  std::error_code code;
  auto file = find_data("claims", "measured");
  if (const fs::path own = measurements_file(); fs::is_regular_file(own, code))
    file = {read_file(own, size_t{1} << 24), own.string()};
  if (!file) return {};
  std::vector<Measurement> all;
  for (const Json& j : parse_json(file->text, file->where)) {
    const std::string& where = file->where;
    Measurement m{.model = text_of(j, "model", where),
                  .weights = text_of(j, "weights", where),
                  .machine = text_of(j, "machine", where),
                  .date = text_of(j, "date", where)};
    m.threads = static_cast<int>(integer(j, "threads", 0, where));
    for (const auto& [key, value] : {std::pair{"prefill", &m.prefill}, {"decode", &m.decode}}) {
      const Json& speed = member(j, key, where);
      if (!speed.is_number()) fail(ErrorKind::format, "{}: {}: expected a number", where, key);
      *value = speed.get<double>();
    }
    all.push_back(std::move(m));
  }
  return all;
}

ASHLAR_JSON_OF(Measurement, model, weights, machine, date, threads, prefill, decode);

std::string measurements_json(const std::vector<Measurement>& measurements) {
  Json json = measurements;
  for (Json& m : json) {
    for (const char* speed : {"prefill", "decode"})  // no measurement means more digits than tenths
      m[speed] = std::round(m[speed].get<double>() * 10) / 10;
  }
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ashlar
