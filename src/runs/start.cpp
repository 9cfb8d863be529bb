// From a request to everything a run needs.
#include "runs/start.h"

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "families/family.h"
#include "model/bind.h"
#include "model/memory.h"
#include "model/model.h"
#include "runs/blueprint_change.h"
#include "runs/fit.h"
#include "runs/lora.h"
#include "runs/run_data.h"
#include "runs/summary.h"
#include "train/checkpoint.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

/// A path that a RUN.json names: from the file's own folder, else from the current one.
std::string found(const std::string& path, const fs::path& beside) {
  std::error_code code;
  if (path.empty() || fs::path(path).is_absolute()) return path;
  for (const fs::path& here : {beside / path, fs::path(path)}) {
    if (fs::exists(here, code)) return fs::absolute(here).lexically_normal().string();
  }
  return path;
}

void find_paths(Json& model, const fs::path& beside) {
  if (model.is_string()) model = found(model.get<std::string>(), beside);
  if (model.is_object() && model.contains("base")) find_paths(model["base"], beside);
}

Json settings_of(const TrainingRequest& request) {
  Json json = Json::object();
  if (!request.file.empty()) json = read_json(request.file);
  for (const std::string& change : request.changes) set_key(json, change);
  return json;
}

/// Where nothing says how long: as many steps as the data has.
void fill_in(RunFile& run, const TrainingRequest& request, const TokenRows& data) {
  BatchSettings& batch = run.train.batch;
  if (batch.length == 0) batch.length = data.length();
  if (batch.micro == 0) batch.micro = batch.sequences;
  const int64_t per_step = std::max<int64_t>(1, batch.sequences * batch.length);
  if (request.tokens > 0) run.train.steps = (request.tokens + per_step - 1) / per_step;
  if (run.train.steps == 0 && batch.sequences > 0)
    run.train.steps = std::max<int64_t>(1, data.rows() / batch.sequences);
}

Graph trained_graph(const Blueprint& bp, const LossSettings& losses) {
  if (losses.mtp > 0 && bp.mtp.empty()) {
    fail(ErrorKind::invalid,
         "losses.mtp: the model has no layer for multi-token prediction (a block in \"mtp\")");
  }
  return trained_graph(bp, losses.mtp > 0);
}

/// Of the graph, and of layers that a file has beside it.
Params all_parameters(const RunStart& start) {
  return start.file.train.losses.mtp > 0 ? start.graph.params()
                                         : parameters_of(start.blueprint, start.graph);
}

}  // namespace

fs::path checkpoint_named(const std::string& name) {
  std::error_code code;
  if (fs::exists(fs::path(name) / "state.json", code)) return name;
  const std::vector<fs::path> all = checkpoints_in(fs::path(name) / "checkpoints");
  if (all.empty()) {
    fail(ErrorKind::invalid,
         "branch: {}: expected the folder of a run or of one of its checkpoints", name);
  }
  return all[0];
}

void take_branch(const RunStart& start, Trainer& trainer) {
  const fs::path from = start.file.branch;
  const Json about = read_checkpoint(from, trainer, start.graph.params());
  check_same(start, about);
  const int64_t done = trainer.steps_done();
  if (done >= start.file.train.steps) {
    fail(ErrorKind::invalid,
         "steps: {}, but {} has done {}: expected more than those, all together",
         start.file.train.steps, from.string(), done);
  }
  for (const StepRecord& r : read_log(from.parent_path().parent_path() / "log.jsonl")) {
    if (r.step <= done) trainer.remember(r.loss, r.gradient_norm);
  }
}

void check_same(const RunStart& start, const Json& about) {
  if (about.value("data", "") != start.data->fingerprint())
    fail(ErrorKind::invalid, "{}: the data is not what this run began with", start.data->name());
  if (about.value("graph", "") != hash_of(start.graph))
    fail(ErrorKind::invalid, "{}: the model is not the one this run began with",
         start.blueprint.name);
}

std::string hash_of(const Graph& graph) {
  const std::string text = graph.text();
  return hex(xxh64(std::as_bytes(std::span(text))));
}

Weights RunStart::initial() const {
  const Params params = all_parameters(*this);
  ParameterArrays made(params);
  if (file.init_from.empty()) {
    initialise(params, file.init, file.train.seed, made);
    return made.tensors(params);
  }
  Model from = load_model(file.init_from);
  // A head of its own begins as the table it was tied to.
  if (!from.weights.contains("head") && graph.param("head") != nullptr)
    from.weights["head"] = from.weights.at("embedding");
  for (const Param& p : graph.params()) {
    if (!from.weights.contains(p.name) && !p.name.starts_with("mtp.") &&
        !p.name.ends_with(".lora_a") && !p.name.ends_with(".lora_b")) {
      fail(
          ErrorKind::invalid,
          "init.from: {} has no {}: its architecture is not the model's (ashlar compare shows how)",
          file.init_from, p.name);
    }
  }
  // Layers for multi-token prediction, which a file may leave out, by the scheme.
  initialise(params, file.init, file.train.seed, made, from.weights);
  initialise_adapter(params, lora, file.train.seed, made);
  Weights all = made.tensors(params);
  for (auto& [name, tensor] : from.weights) all[name] = tensor;
  return all;
}

StepOptions RunStart::options(const TrainingRequest& request) const {
  StepOptions o{.threads = request.threads,
                .kernels = request.kernels,
                .numbers = file.precision == "bf16" ? Numbers::bf16 : Numbers::f32,
                .differentiate = {.recompute_layers = file.recompute.value_or(false)}};
  if (lora.empty()) return o;
  const size_t adapters = 2 * lora.size();  // which come last
  for (const ParamId p : graph.params().ids()) {
    if (p.index() + adapters < graph.params().size())
      o.differentiate.frozen.push_back(graph.params()[p].name);
  }
  return o;
}

IdVector<ParamId, float> RunStart::decay_towards() const {
  const Blueprint& bp = blueprint;
  IdVector<ParamId, float> towards(graph.params().size(), 0);
  try {
    const Names names = names_of(family_for(bp), bp);
    for (const ParamId i : towards.ids()) {
      int64_t layer = 0;
      const Name* name =
          names.find(graph.params()[i].name, static_cast<int64_t>(bp.blocks.size()), &layer);
      if (name != nullptr && !name->config.empty() && name->config[0].minus_one) towards[i] = 1;
    }
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::unsupported) throw;
  }
  return towards;
}

RunStart read_start(const TrainingRequest& request) {
  const Json json = settings_of(request);
  RunStart start;
  start.file = run_file_from_json(json);
  RunFile& file = start.file;
  const fs::path beside = fs::path(request.file).parent_path();
  for (std::string* path : {&file.init_from, &file.tokenizer, &file.data.tokens, &file.data.folder,
                            &file.data.validation, &file.branch})
    *path = found(*path, beside);
  if (!file.branch.empty()) file.branch = checkpoint_named(file.branch).string();
  if (file.model.is_null() && file.init_from.empty()) {
    fail(ErrorKind::invalid,
         "model: is missing: a name (ashlar show --list), a blueprint file, a folder, or "
         "{{\"base\": ..., \"change\": {{...}}}}; or init.from");
  }
  if (file.model.is_null()) file.model = file.init_from;
  find_paths(file.model, beside);
  if (file.out.empty()) {
    fail(ErrorKind::invalid, "out: is missing: the folder of the run (`out`)");
  }
  file.out = fs::absolute(file.out).lexically_normal().string();

  start.blueprint = blueprint_of(file.model);
  start.graph = trained_graph(start.blueprint, file.train.losses);
  if (file.lora.rank > 0) {
    if (file.init_from.empty())
      fail(ErrorKind::invalid, "lora: adapts weights that are there: init.from is missing");
    start.graph = with_lora(start.graph, file.lora.rank, file.lora.alpha, &start.lora);
    check_adapter(start.blueprint, start.graph, start.lora);
  }
  const bool decided = !file.tokenizer.empty() || !file.init_from.empty();
  const std::string named = !file.tokenizer.empty()   ? file.tokenizer
                            : !file.init_from.empty() ? file.init_from
                            : file.model.is_string()  ? file.model.get<std::string>()
                                                      : "";
  RunData data = read_data(file, named, decided, start.blueprint.context);
  start.data = std::move(data.train);
  start.validation = std::move(data.validation);
  start.text_source = std::move(data.text_source);
  fill_in(file, request, *start.data);
  check_fit(start.graph, file.train, *start.data);
  if (start.validation) check_fit(start.graph, file.train, *start.validation);
  file.recompute = fitting_recomputation(start.graph, start.options(request), file.train,
                                         file.recompute, available_memory(), start.blueprint.name);
  if (file.write_model) family_for(start.blueprint);  // which will write it
  return start;
}

}  // namespace ashlar
