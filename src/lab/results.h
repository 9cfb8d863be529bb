// What an experiment has found, as one JSON object: small enough to be kept with the source, and
// all that the report and the claims read.
#pragma once

#include "base/json.h"
#include "lab/plan.h"
#include "lab/statistics.h"
#include "lab/store.h"

namespace ashlar::lab {

/// Fields: docs/lab.md, "Results". Of what has ended so far; a criterion without runs is "missing".
Json results_of(const Experiment& experiment, const Store& store);

/// All criteria together: refuted where one is, confirmed where all are, missing where nothing
/// ran, else inconclusive.
std::string overall(const std::vector<Verdict>& verdicts);

/// Writes FOLDER/<id>.json.
void write_results(const Json& results, const std::filesystem::path& folder);

/// The sentence that a person reads first.
std::string sentence_of(const Json& criterion);

}  // namespace ashlar::lab
