// Runs what a store's experiments still need: processes of one thread each, as many at once as
// cores.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/json_members.h"
#include "lab/plan.h"
#include "lab/store.h"

namespace ashlar::lab {

using ashlar::to_json;  // of structs that name their members

struct CampaignOptions {
  int jobs = 0;                                 // processes at once; 0: one per core
  std::function<void(const std::string&)> say;  // a line for a person
  std::function<bool()> stop;                   // asked now and then: end, with checkpoints written
};

struct CampaignEnd {
  int64_t finished = 0, diverged = 0, failed = 0;
  bool stopped = false;
  std::vector<std::string> failures;  // one line each
};

/// Registers the experiments and runs what is missing, until nothing is. What has ended is in the
/// store at once; what was interrupted goes on from its last checkpoint the next time. Throws
/// Error(resource) when the disk is full, after the runs that were going on have been stopped.
CampaignEnd run_campaign(const std::vector<Experiment>& experiments, Store& store,
                         const CampaignOptions& options);

/// What one run's process does after training: reads FOLDER/scoring.json, writes FOLDER/score.json.
void score_run(const std::filesystem::path& folder);

/// How far a store's experiments are.
struct Progress {
  struct Row {
    std::string id;
    int64_t ended = 0, wanted = 0, diverged = 0;
    double seconds_left = 0;  // of one process
    ASHLAR_JSON(id, ended, wanted, diverged, seconds_left);
  };
  std::vector<Row> experiments;
  double seconds_left = 0;  // with as many processes as `jobs`
  ASHLAR_JSON(seconds_left, experiments);
};
Progress progress_of(const Store& store, int jobs);

/// FLOP/s of one process: of the runs that have ended, or a guess where none has.
double speed_of(const Store& store, const std::vector<Prepared>& prepared);

}  // namespace ashlar::lab
