// Options of commands that speak of a step of training.
#pragma once

#include <CLI/CLI.hpp>

#include "runs/step_cost.h"

namespace ashlar::app {

/// --batch, --length and --precision, which need --train.
void add_step_options(CLI::App& command, StepCostOptions& options);

}  // namespace ashlar::app
