// Numbers of one run, from its log and its score; and numbers of one arm over its rates.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "lab/experiment.h"

namespace ashlar::lab {

struct MetricAbout {
  const char* name;
  const char* says;       // what it is, in words
  bool of_rates = false;  // taken over all rates of an arm, seed by seed
  std::string each = {};  // a list among a run's numbers, one for each event: its mean is taken
};
std::vector<std::string> metric_names();
const MetricAbout& metric(const std::string& name);  // throws Error(invalid)

/// What a run's numbers are read against.
struct RunFacts {
  double flops_per_token = 0;
  int64_t parameters = 0;
  double entropy = -1;  // of the data; below 0: unknown
  int64_t facts = 0;
  double bits_per_fact = 0;
  Events events;
  int64_t steps = 0;
};

/// {name: number}: those metrics that this run has, and the lists of those that have one (null
/// for an event that could not be judged). `diverged`: the run ended with a loss that is
/// no number; its loss is then that of its first step. `score` may be null (diverged).
Json metrics_of(const std::filesystem::path& log, const Json& score, const RunFacts& facts,
                bool diverged);
/// {"tokens": [...], "loss": [...], "gradient_norm": [...]}: means of some 48 equal parts.
Json curve_of(const std::filesystem::path& log);

/// Of (step, largest load of an expert over the mean, less 1) as telemetry saw them: the step from
/// which on the median of five records is never above 1; `all_steps` where it is at the end.
double steps_until_balance(std::span<const std::pair<double, double>> violations,
                           int64_t all_steps);

/// Of one seed: (rate, loss) over a grid, and the loss before training. Wortsman et al. 2023: the
/// mean over rates of min(loss, first loss) less the least one.
double sensitivity(const std::vector<std::pair<double, double>>& losses, double first_loss);

}  // namespace ashlar::lab
