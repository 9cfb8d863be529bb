// Options of commands that speak of a step of training.
#pragma once

#include <CLI/CLI.hpp>

#include "runs/step_cost.h"

namespace ashlar::app {

/// --batch, --length, --precision and --mtp, which need --train.
void add_step_options(CLI::App& command, StepCostOptions& options);
/// --mtp, which needs the option that asks for a step of training; none: always there.
void add_mtp_option(CLI::App& command, bool& mtp, const std::string& needed = "");

}  // namespace ashlar::app
