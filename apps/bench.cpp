// ashlar bench: measured speed of a model, beside the limits of this machine and what was planned.
#include <cstdio>

#include "apps/commands.h"
#include "apps/sampling_options.h"
#include "apps/step_options.h"
#include "measure/bench.h"

namespace ashlar::app {
namespace {

struct BenchCommand {
  ModelOptions model;
  BenchOptions options;
  std::string draft = "off";
  bool train = false;
  StepCostOptions step;
  bool json = false;
};

void run_train(BenchCommand& o) {
  const Model model = load(o.model, false);
  o.step.threads = o.model.threads;
  o.step.kernels = o.model.kernels;
  StepMeasurement m = measure_step(trained_graph(model.blueprint, o.step.mtp), o.step);
  m.model = model.blueprint.name.empty() ? model.source : model.blueprint.name;
  print_line(o.json ? Json(m).dump(2) : measurement_text(m));
}

void run_bench(BenchCommand o) {
  if (o.train) return run_train(o);
  const Model model = load(o.model);
  take_engine_options(o.model, model, o.options);
  if (o.draft != "off") {
    o.options.draft = o.draft;
    o.options.drafter = [&](Engine& e) { return drafter_of(o.draft, o.model, model, e); };
  }
  Progress progress("measuring");
  o.options.progress = [&](double done) { progress(static_cast<int64_t>(done * 100), 100); };
  BenchResult result = bench(model, o.options);
  result.weights = !o.model.random           ? "as in the file"
                   : o.model.weights.empty() ? "f32"
                                             : o.model.weights;
  print_line(o.json ? bench_json(result) : bench_text(result));
}

}  // namespace

void add_bench(CLI::App& app) {
  auto [command, o] =
      add_command(app, "bench", run_bench,
                  "measure a model's speed beside this machine's limits and what was planned");
  add_model_options(command, o.model, true);
  add_bench_sizes(command, o.options);
  add_value(command, "--draft-tokens", o.options.draft_tokens, "N",
            "also steps that evaluate so many guesses: when drafting pays (default 0: none)");
  add_value(command, "--draft", o.draft, "lookup|mtp|MODEL|off",
            "also generate with guesses as `run --draft` makes them: how many are accepted, and "
            "the speed with and without")
      ->capture_default_str();
  add_value(command, "--repeat", o.options.repeat, "R", "measurements of each (default 3)");
  command.add_flag("--speed-only", o.options.speed_only,
                   "measure tokens per second alone: no limits, no plan, no profile");
  command.add_flag("--train", o.train, "steps of training instead, on random ids, op by op");
  add_step_options(command, o.step);
  command.add_flag("--recompute", o.step.recompute, "with --train: compute layers again");
  command.add_flag("--json", o.json, "print JSON (fields: docs/json.md)");
  command.footer(
      "Prefill and decode are measured apart, each after --depth tokens. The limits and the rates "
      "of the kernels\nthat plans use are probed in the same run; --context is set by the rest.");
}

}  // namespace ashlar::app
