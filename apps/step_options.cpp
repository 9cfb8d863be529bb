// Options of steps that are measured.
#include "apps/step_options.h"

namespace ashlar::app {

void add_bench_sizes(CLI::App& command, BenchOptions& options) {
  add_value(command, "--prompt", options.prompt, "N", "tokens of the prompt (default 512)");
  add_value(command, "--generate", options.generate, "N", "tokens decoded (default 128)");
  add_value(command, "--depth", options.depth, "N",
            "tokens that sequences hold before either (default 0)");
  add_value(command, "--sequences", options.sequences, "N",
            "sequences decoded together (default 1)");
}

void take_engine_options(const ModelOptions& from, const Model& model, BenchOptions& options) {
  options.engine = engine_options(from, model, 512);
}

void add_step_options(CLI::App& command, StepCostOptions& options) {
  add_value(command, "--batch", options.sequences, "N",
            "with --train: sequences at once (default 8)")
      ->needs("--train");
  add_value(command, "--length", options.length, "N", "with --train: tokens of each (default 256)")
      ->needs("--train");
  add_value(command, "--precision", options.precision, "P",
            "with --train: f32 or bf16 (default: the faster one here)")
      ->needs("--train");
  add_mtp_option(command, options.mtp, "--train");
}

void add_mtp_option(CLI::App& command, bool& mtp, const std::string& needed) {
  const std::string with = needed.empty() ? "" : "with " + needed + ": ";
  auto* option = command.add_flag(
      "--mtp", mtp,
      with + "train the layer for multi-token prediction too, with its loss (`losses.mtp`)");
  if (!needed.empty()) option->needs(needed);
}

}  // namespace ashlar::app
