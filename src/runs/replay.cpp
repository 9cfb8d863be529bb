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
Replayed replay_step(const TrainingRequest& request, int64_t step) {
  RunStart start = read_start(request);
  if (step < 1 || step > start.file.train.steps) {
    fail(ErrorKind::invalid, "--replay {}: expected a step from 1 to {}", step,
         start.file.train.steps);
  }
  start.file.train.telemetry.every = step;
  start.file.train.telemetry.sequences = start.file.train.batch.sequences;
  const std::filesystem::path folder = start.file.out;
  ParameterArrays parameters(start.graph.params());
  parameters.take(start.graph.params(), start.initial());
  Trainer trainer(start.graph, parameters, start.file.train, *start.data, start.file.data.order,
                  start.options(request), start.decay_towards());
  if (!start.file.branch.empty()) take_branch(start, trainer);
  for (const auto& checkpoint : checkpoints_in(folder / "checkpoints")) {
    if (step_of(checkpoint) >= step) continue;
    read_checkpoint(checkpoint, trainer, start.graph.params());
    break;
  }
  const int64_t from = trainer.steps_done();
  std::optional<double> logged;
  for (const StepRecord& r : read_log(folder / "log.jsonl")) {
    if (r.step <= from) trainer.remember(r.loss, r.gradient_norm);
    if (r.step == step) logged = r.loss;
  }
  StepRecord record;
  while (trainer.steps_done() < step) {
    if (trainer.steps_done() + 1 == step) trainer.examine_every_step();
    record = trainer.step();
  }
  const std::unique_ptr<Tokenizer> tokenizer = text_of(start.text_source).tokenizer;
  const StepExamined& examined = *trainer.examined();
  Replayed replayed{.file = (folder / fmt::format("replay-{}.json", step)).string(),
                    .text = summary_of(examined, tokenizer.get())};
  if (logged)
    replayed.equal = *logged == record.loss || (std::isnan(*logged) && std::isnan(record.loss));
  Json json = to_json(examined, *start.data, tokenizer.get());
  json["from_checkpoint"] = from;
  json["logged_loss"] = logged && std::isfinite(*logged) ? Json(*logged) : Json();
  json["equal"] = replayed.equal ? Json(*replayed.equal) : Json();
  json["telemetry"] = trainer.telemetry();
  write_file(replayed.file, json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
  return replayed;
}

}  // namespace ashlar
