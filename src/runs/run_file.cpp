// One list of keys, read and written.
#include "runs/run_file.h"

#include "base/error.h"
#include "runs/settings_json.h"

namespace ashlar {
namespace {

/// The flat keys of a run and its groups; model and init have forms of their own.
template <class V, class P>  // P: RunFile, const or not
void visit(V& v, P& p) {
  v("data", p.data);
  v("batch", p.train.batch);
  v("optimiser", p.train.optimiser);
  v("schedule", p.train.schedule);
  v("losses", p.train.losses);
  v("clip", p.train.clip);
  v("steps", p.train.steps);
  v("seed", p.train.seed);
  v("branch", p.branch);
  v("precision", p.precision);
  v("recompute", p.recompute);
  v("lora", p.lora);
  v("checkpoint", p.checkpoint);
  v("evaluate", p.evaluate);
  v("telemetry", p.train.telemetry);
  v("tokenizer", p.tokenizer);
  v("write_model", p.write_model);
  v("out", p.out);
}

}  // namespace

RunFile run_file_from_json(const Json& json) {
  RunFile run;
  SettingsReader reader(json, "");
  reader.allow("model");
  reader.allow("init");
  visit(reader, run);
  reader.finish();
  if (const auto it = json.find("model"); it != json.end()) {
    if (!it->is_string() && !it->is_object()) {
      fail(ErrorKind::invalid,
           "model: expected a name, a file, a folder, {{\"base\": ..., \"change\": {{...}}}} or a "
           "blueprint, found {}",
           it->dump());
    }
    run.model = *it;
  }
  if (const auto it = json.find("init"); it != json.end()) {
    if (it->is_object() && it->contains("from")) {
      SettingsReader init(*it, "init");
      init("from", run.init_from);
      init.finish();
    } else {
      SettingsReader::read(*it, "init", run.init);
    }
  }
  if (run.precision != "f32" && run.precision != "bf16")
    fail(ErrorKind::invalid, "precision: expected f32 or bf16, found {}", run.precision);
  if (run.lora.rank < 0 || run.lora.alpha < 0)
    fail(ErrorKind::invalid, "lora.rank and lora.alpha: expected numbers from 0");
  if (run.lora.alpha == 0) run.lora.alpha = 2 * static_cast<double>(run.lora.rank);
  const CheckpointSettings& c = run.checkpoint;
  if (c.every < 0 || c.keep < 1 || c.keep_every < 0)
    fail(ErrorKind::invalid, "checkpoint: expected every from 0, keep from 1, keep_every from 0");
  const TelemetrySettings& t = run.train.telemetry;
  if (run.evaluate.every < 0 || run.evaluate.tokens < 0 || t.every < 0 || t.sequences < 1) {
    fail(ErrorKind::invalid,
         "evaluate.every, evaluate.tokens and telemetry.every: expected numbers from 0, "
         "telemetry.sequences from 1");
  }
  return run;
}

Json to_json(const RunFile& run) {
  Json json = {{"model", run.model}};
  if (run.init_from.empty())
    json["init"] = run.init;
  else
    json["init"] = {{"from", run.init_from}};
  const JsonWriter writer{json};
  visit(writer, run);
  return json;
}

void set_key(Json& json, const std::string& path, Json value) {
  Json* at = &json;
  for (size_t begin = 0;;) {
    const size_t end = path.find('.', begin);
    const std::string key = path.substr(begin, end == std::string::npos ? end : end - begin);
    if (key.empty()) fail(ErrorKind::invalid, "{}: expected keys with points between them", path);
    if (!at->is_object()) *at = Json::object();
    at = &(*at)[key];
    if (end == std::string::npos) break;
    begin = end + 1;
  }
  *at = std::move(value);
}

void set_key(Json& json, const std::string& assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0)
    fail(ErrorKind::invalid, "{}: expected key=value, such as optimiser.rate=1e-3", assignment);
  const std::string text = assignment.substr(equals + 1);
  Json value =
      Json::accept(text) && json_depth(text) <= kJsonDepth ? Json::parse(text) : Json(text);
  set_key(json, assignment.substr(0, equals), std::move(value));
}

}  // namespace ashlar
