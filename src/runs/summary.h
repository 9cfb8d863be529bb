// What a run's folder says of itself: settings, log, state.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ashlar/train.h"
#include "base/enum_names.h"
#include "base/json.h"
#include "train/monitor.h"

namespace ashlar {

/// running: a process holds the folder. finished: all steps are done and model/ is there. stopped:
/// neither; `ashlar train --out FOLDER --resume` goes on. diverged: stopped, and the last loss is
/// no number.
enum class RunState : uint8_t { running, finished, stopped, diverged };
ASHLAR_NAMES(RunState, running, finished, stopped, diverged);

struct RunSummary {
  std::filesystem::path folder;
  RunState state = RunState::stopped;
  Json settings;                                         // run.json
  std::string model;                                     // a name, or what run.json says of it
  int64_t steps = 0;                                     // of the whole run
  std::optional<StepRecord> last;                        // of the log
  double loss = 0;                                       // mean of the last steps, at most 20
  double tokens_per_second = 0;                          // of the same steps
  double seconds = 0;                                    // of all steps together
  std::optional<double> validation_loss, bits_per_byte;  // of the last step that evaluated
  std::optional<double> best_validation_loss;
  SpikeMonitor losses, gradient_norms;  // having seen all steps: shares of spikes
  double roughness = 0;                 // of the gradient norm: mean |ln x[t] - ln x[t - 1]|
  double slope = 0;                     // of its logarithm, per 1000 steps
  int64_t spikes = 0;  // steps whose loss or gradient was a spike by some rule (train/monitor.h)
};

/// All lines of a log that are whole. A loss that was no number is NaN.
std::vector<StepRecord> read_log(const std::filesystem::path& file);

/// Whether a process has the log open to write it.
bool is_written(const std::filesystem::path& log);

/// Throws Error(io), Error(format).
RunSummary summary_of(const std::filesystem::path& folder);

/// Folders below `folder` (and itself) with a run.json, at most four deep, in the order of names.
std::vector<std::filesystem::path> runs_in(const std::filesystem::path& folder);

Json to_json(const RunSummary& summary);

}  // namespace ashlar
