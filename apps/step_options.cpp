// Options of a step of training.
#include "apps/step_options.h"

namespace ashlar::app {

void add_step_options(CLI::App& command, StepCostOptions& options) {
  command.add_option("--batch", options.sequences, "with --train: sequences at once (default 8)")
      ->type_name("N")
      ->needs("--train");
  command.add_option("--length", options.length, "with --train: tokens of each (default 256)")
      ->type_name("N")
      ->needs("--train");
  command
      .add_option("--precision", options.precision,
                  "with --train: f32 or bf16 (default: the faster one here)")
      ->type_name("P")
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
