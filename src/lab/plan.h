// Which runs an experiment needs, as far as what has ended says.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lab/arms.h"
#include "lab/data.h"
#include "lab/experiment.h"
#include "lab/metrics.h"
#include "lab/store.h"

namespace ashlar::lab {

/// One run of training and its score.
struct RunSpec {
  std::string key;  // hash of all that decides its numbers
  std::string arm;
  double rate = 0;
  uint64_t seed = 0;
  Json request;  // RUN.json without `out`
  Json scoring;  // how the held-out set is read
  RunFacts facts;
  double flops = 0;
  int64_t total_parameters = 0;
};

/// An experiment with what follows from it.
struct Prepared {
  Experiment experiment;
  Data data;
  std::vector<ExpandedArm> arms;    // empty while speeds are not measured
  std::vector<RunSpec> speed_runs;  // of equal seconds
};

/// Makes the data that is missing in the store.
Prepared prepare(const Experiment& experiment, const Store& store);

/// The rate of an arm that is best at the first seed; nothing while its grid has not ended. By the
/// loss of answers where the data has some, else by the held-out loss. `at_edge`: it is the least
/// or greatest of several.
struct BestRate {
  double rate = 0;
  bool at_edge = false;
};
std::optional<BestRate> best_rate(const Prepared& prepared, const ExpandedArm& arm,
                                  const Store& store);

/// What has to have ended, as far as it is known: after the grids of rates the other seeds.
/// `complete`: nothing more will be added.
struct Plan {
  std::vector<RunSpec> runs;
  bool complete = false;
  int64_t later = 0;  // runs that will be added, about
};
Plan plan(const Prepared& prepared, const Store& store);

RunSpec run_spec(const Prepared& prepared, const ExpandedArm& arm, double rate, uint64_t seed);
std::vector<uint64_t> seeds_of(const Experiment& experiment, const std::string& arm);

}  // namespace ashlar::lab
