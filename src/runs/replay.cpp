// A step of a run again, from the last checkpoint before it.
#include <fmt/format.h>
#include <cmath>

#include "ashlar/train.h"
#include "base/error.h"
#include "runs/run_data.h"
#include "runs/spike.h"
#include "runs/start.h"
#include "runs/summary.h"
#include "train/checkpoint.h"
#include "train/trainer.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

/// The loss that the log has of a step; nothing where it has none.
std::optional<double> logged_loss(const fs::path& folder, int64_t step) {
  for (const StepRecord& r : read_log(folder / "log.jsonl")) {
    if (r.step == step) return r.loss;
  }
  return {};
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

}  // namespace

Replayed replay_step(const TrainingRequest& request, int64_t step) {
  RunStart start = read_start(request);
  if (step < 1 || step > start.file.train.steps) {
    fail(ErrorKind::invalid, "--replay {}: expected a step from 1 to {}", step,
         start.file.train.steps);
  }
  start.file.train.telemetry.every = step;
  start.file.train.telemetry.sequences = start.file.train.batch.sequences;
  const fs::path folder = start.file.out;
  ParameterArrays parameters(start.graph.params());
  parameters.take(start.graph.params(), start.initial());
  Trainer trainer(start.graph, parameters, start.file.train, *start.data, start.file.data.order,
                  start.options(request), start.decay_towards());
  if (!start.file.branch.empty()) take_branch(start, trainer);
  for (const fs::path& checkpoint : checkpoints_in(folder / "checkpoints")) {
    if (step_of(checkpoint) >= step) continue;
    read_checkpoint(checkpoint, trainer, start.graph.params());
    break;
  }
  const int64_t from = trainer.steps_done();
  for (const StepRecord& r : read_log(folder / "log.jsonl")) {
    if (r.step <= from) trainer.remember(r.loss, r.gradient_norm);
  }
  StepRecord record;
  while (trainer.steps_done() < step) {
    if (trainer.steps_done() + 1 == step) trainer.examine_every_step();
    record = trainer.step();
  }
  const std::unique_ptr<Tokenizer> tokenizer = text_of(start.text_source).tokenizer;
  const StepExamined& examined = *trainer.examined();
  Json json = to_json(examined, *start.data, tokenizer.get());
  const std::optional<double> logged = logged_loss(folder, step);
  json["from_checkpoint"] = from;
  json["logged_loss"] = logged && std::isfinite(*logged) ? Json(*logged) : Json();
  json["equal"] = logged ? Json(same(*logged, record.loss)) : Json();
  json["telemetry"] = trainer.telemetry();
  Replayed replayed{.file = (folder / fmt::format("replay-{}.json", step)).string(),
                    .text = summary_of(examined, tokenizer.get())};
  write_file(replayed.file, json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
  if (logged) replayed.equal = same(*logged, record.loss);
  return replayed;
}

}  // namespace ashlar
