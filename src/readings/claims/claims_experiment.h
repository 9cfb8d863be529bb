// Stored results of experiments (docs/lab.md) as a reading of claims.
#pragma once

#include <filesystem>
#include <string>

#include "base/json.h"

namespace ashlar {

/// Where results of this machine's user are kept: beside the measured speeds, in the cache.
std::filesystem::path own_results_folder();

/// The items of a list with commas between them, texts as they are, others as JSON.
std::string joined(const Json& list);

/// What a result says, for expressions:
///   known                 whether there is such a file; the rest only then
///   seeds, machine, date, commit, parameters (of the baseline), tokens (of a run)
///   <criterion>           - in its id as _: verdict, metric, arm (mean), against (mean), mean,
///   low,
///                         high (of the difference), smallest_detectable, sentence
/// Numbers that are not there (no interval) are 0. Throws Error(format).
Json experiment_reading(const std::string& id);

}  // namespace ashlar
