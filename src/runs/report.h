// A page about runs: what they are, their curves over steps, and telemetry as heat maps.
#pragma once

#include <string>
#include <vector>

#include "runs/summary.h"

namespace ashlar {

/// HTML with everything in it: loss, validation loss, gradient norm, rate and speed of all runs in
/// common plots, and what their settings differ in. Reads their logs. Throws Error.
std::string report_of_runs(const std::vector<RunSummary>& runs);

/// <figure> elements of a telemetry.jsonl: gradient norms, updates and activations by layer,
/// largest attention scores, loads of experts. Empty where there is no such file. Throws
/// Error(format).
std::string heat_maps_of(const std::filesystem::path& telemetry);

}  // namespace ashlar
