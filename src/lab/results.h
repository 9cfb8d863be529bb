// What an experiment has found, as one JSON object: small enough to be kept with the source, and
// all that the report and the claims read.
#pragma once

#include "base/json.h"
#include "lab/plan.h"
#include "lab/store.h"

namespace ashlar::lab {

/// Fields: docs/lab.md, "Results". Of what has ended so far; a criterion without runs is "missing".
Json results_of(const Experiment& experiment, const Store& store);

/// Writes FOLDER/<id>.json.
void write_results(const Json& results, const std::filesystem::path& folder);

}  // namespace ashlar::lab
