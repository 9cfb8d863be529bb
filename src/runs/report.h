// A page about runs: what they are, and their curves over steps.
#pragma once

#include <string>
#include <vector>

#include "runs/summary.h"

namespace ashlar {

/// HTML with everything in it: loss, validation loss, gradient norm, rate and speed of all runs in
/// common plots, and what their settings differ in. Reads their logs. Throws Error.
std::string report_of_runs(const std::vector<RunSummary>& runs);

}  // namespace ashlar
