// Options of commands that measure steps: of a run, or of training.
#pragma once

#include "apps/commands.h"
#include "measure/bench.h"
#include "runs/step_cost.h"

namespace ashlar::app {

/// --prompt, --generate, --depth and --sequences.
void add_bench_sizes(CLI::App& command, BenchOptions& options);
/// Threads, kernels and formats as an engine for `model` would have them.
void take_engine_options(const ModelOptions& from, const Model& model, BenchOptions& options);
/// --batch, --length, --precision and --mtp, which need --train.
void add_step_options(CLI::App& command, StepCostOptions& options);
/// --mtp, which needs the option that asks for a step of training; none: always there.
void add_mtp_option(CLI::App& command, bool& mtp, const std::string& needed = "");

}  // namespace ashlar::app
