// Training from C++: a run as RUN.json describes it (docs/training.md), step by step.
//
//   const auto run = ashlar::start_training({.file = "run.json"});
//   while (!run->finished()) {
//     const ashlar::StepRecord record = run->step();  // writes log.jsonl and what is due
//     std::printf("%lld %.4f\n", static_cast<long long>(record.step), record.loss);
//   }
//   run->finish();                                     // a last checkpoint, and model/
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ashlar {

/// What a step has to tell.
struct StepRecord {
  int64_t step = 0;    // from 1
  int64_t tokens = 0;  // read since the run's first step
  double loss = 0;     // mean cross-entropy of the step's predicted tokens in nats, before the
                       // update
  double gradient_norm = 0;  // of all parameters, before clipping
  double rate = 0;
  double seconds = 0;  // of this step
  double tokens_per_second = 0;
  std::optional<double> validation_loss, bits_per_byte;  // of steps that evaluate
  /// By which rules the loss or the gradient's norm is a spike: "loss.deviations_128", ...
  std::vector<std::string> spikes;
  /// What else the step's graph says, by name.
  std::map<std::string, std::vector<float>, std::less<>> values;
};

struct TrainingRequest {
  std::string file;                  // RUN.json; empty: `changes` say all
  std::vector<std::string> changes;  // "optimiser.rate=1e-3": set after the file was read
  int64_t tokens = 0;                // in place of steps: so many tokens; 0: not given
  double seconds = 0;                // in place of steps: about so long; 0: not given
  bool resume = false;               // go on from the newest checkpoint of the folder
  int threads = 0;                   // 0: one per core
  std::string kernels;               // instruction set; empty: the best of this CPU
  std::function<void(const std::string&)> notice;  // what a person should know
};

class TrainingRun {
 public:
  virtual ~TrainingRun() = default;
  virtual const std::string& folder() const = 0;
  virtual std::string settings() const = 0;  // run.json
  virtual std::string model() const = 0;     // name of the architecture
  virtual int64_t parameters() const = 0;
  virtual int64_t steps() const = 0;
  virtual int64_t steps_done() const = 0;
  virtual int64_t tokens_per_step() const = 0;
  bool finished() const { return steps_done() >= steps(); }

  /// One step, its line in log.jsonl, and the evaluation and checkpoint that are due after it. A
  /// checkpoint that cannot be written is a notice, not the end. Throws Error(invalid) when the
  /// loss is no number any more.
  virtual StepRecord step() = 0;
  /// Writes a checkpoint now. Throws Error.
  virtual void checkpoint() = 0;
  /// A checkpoint of the last step, and the model as a folder that Transformers and `ashlar run`
  /// read: out/model. Throws Error.
  virtual void finish() = 0;
};

/// Reads settings, model and data, checks all of them, and makes the run's folder. Throws Error
/// before any memory for training is taken if something does not fit.
std::unique_ptr<TrainingRun> start_training(const TrainingRequest& request);

/// A step that was run again.
struct Replayed {
  std::string file;           // replay-STEP.json in the run's folder
  std::string text;           // what it says, in some lines
  std::optional<bool> equal;  // its loss is the log's to the bit; nothing where the log has none
};

/// Runs a step of a run's folder again, from the last checkpoint before it, and looks at all of it:
/// gradients, activations, the loss of every sequence. The run itself stays as it is. Throws Error.
Replayed replay_step(const TrainingRequest& request, int64_t step);

}  // namespace ashlar
