// What `ashlar experiment check` and `status` print.
#pragma once

#include <string>

#include "lab/campaign.h"
#include "lab/plan.h"

namespace ashlar::lab {

/// Arms expanded: parameters, operations, memory, time, and in words what differs. `speed`: FLOP/s
/// of one process.
std::string check_text(const Prepared& prepared, const Plan& plan, double speed, int jobs);

/// What several experiments take together: runs that they share count once.
std::string together_text(const std::vector<Plan>& plans, double speed, int jobs);
std::string progress_text(const Progress& progress, int jobs);

}  // namespace ashlar::lab
