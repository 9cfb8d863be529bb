// Training of a graph: batches from data, gradients from an executor, updates from an optimiser.
// Knows nothing of models, files and folders.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ashlar/train.h"
#include "base/json.h"
#include "train/data.h"
#include "train/monitor.h"
#include "train/optimiser.h"
#include "train/parameters.h"
#include "train/qk_clip.h"
#include "train/settings.h"
#include "train/step.h"
#include "train/telemetry.h"

namespace ashlar {

/// Loss over a whole set of rows.
struct Evaluation {
  double loss = 0;  // mean over all predicted tokens, in nats
  int64_t predicted = 0;
  std::optional<double> bits_per_byte;  // where the data knows its text
};

/// What a step was like whose loss or gradient is a spike: with the parameters before its update.
struct StepExamined {
  int64_t step = 0;
  struct Series {
    double value = 0, mean = 0, deviation = 0;  // mean and deviation of up to 128 steps before
  } loss, gradient_norm;
  struct Moved {
    std::string parameter;
    double norm = 0, usual = 0;  // of its gradient
  };
  std::vector<Moved> parameters;  // most above their usual norm first; without a usual one last
  struct Sequence {
    int64_t row = 0;  // of the data; from rows() on: injected
    double loss = 0;
    std::vector<int32_t> ids;
  };
  std::vector<Sequence> sequences;  // the highest loss first
};

class Trainer {
 public:
  /// `parameters` hold the initial values and are changed in place; `data` outlives the trainer.
  /// Throws Error(invalid) where settings, graph and data do not fit each other.
  Trainer(const Graph& forward, ParameterArrays& parameters, const TrainSettings& settings,
          const TokenRows& data, DataOrder order, const StepOptions& options = {},
          IdVector<ParamId, float> decay_towards = {});

  StepRecord step();
  /// Of the last step, where it has telemetry: train/telemetry.h; else null.
  const Json& telemetry() const { return telemetry_record_; }
  /// What telemetry has taken so far.
  double telemetry_seconds() const { return telemetry_ ? telemetry_->seconds() : 0; }
  /// Of the last step, where it was a spike, or all were asked for; else nothing.
  const std::optional<StepExamined>& examined() const { return examined_; }
  void examine_every_step() { examine_all_ = true; }
  /// Loss and norm of a step done before, in order, for what is a spike from here on.
  void remember(double loss, double gradient_norm);
  Evaluation evaluate(const TokenRows& rows);

  /// Seconds that a step takes, measured on gradients that are thrown away.
  double measured_seconds();
  /// Of the whole run: what schedules are laid out for.
  void set_steps(int64_t steps) { settings_.steps = steps; }

  int64_t steps_done() const { return done_; }
  bool finished() const { return done_ >= settings_.steps; }
  int64_t tokens_per_step() const;
  const TrainSettings& settings() const { return settings_; }

  /// The arrays that a run needs to go on: "weights" and those of the optimiser.
  std::vector<NamedArrays> state();
  void set_steps_done(int64_t steps);

 private:
  /// A router's correction bias and the output that says where its tokens went.
  struct Corrected {
    std::string load;
    ParamId bias;
  };
  static std::vector<Corrected> corrected_routers(const Graph& forward);
  void give_load_of(const std::vector<TokenBatch>& batches);
  void correct_routers(const StepValues& values);
  std::vector<int64_t> rows_of_step(int64_t step) const;
  bool telemetry_due() const;
  /// What there is to see of a step before its update.
  void look(const StepRecord& record, const std::vector<int64_t>& rows);
  std::vector<std::string> judged(const StepRecord& record);
  StepExamined examine(const StepRecord& record, const std::vector<int64_t>& rows);
  ParameterArrays& parameters_;
  TrainSettings settings_;
  const TokenRows& data_;
  const DataOrder order_;
  StepExecutor executor_;
  ParameterArrays gradients_;
  Optimiser optimiser_;
  const std::vector<Corrected> corrected_;
  int64_t done_ = 0;
  SpikeMonitor losses_, norms_;
  std::array<StepExamined::Series, 2> before_;  // loss and norm before the newest step
  GradientHistory history_;
  std::vector<std::string> parameter_names_;
  std::unique_ptr<Telemetry> telemetry_;  // where asked for
  std::unique_ptr<QkClip> qk_clip_;       // where asked for
  Json telemetry_record_;
  std::optional<StepExamined> examined_;
  bool examine_all_ = false;
};

/// The losses that settings ask for, among what a step is made with.
StepOptions with_losses(StepOptions options, const TrainSettings& settings);
/// Throws Error(invalid) for settings that make no sense, naming the member.
void check(const TrainSettings& settings);
/// Throws Error(invalid) where sequences are longer than the graph has learned positions, or ids
/// lie outside of its vocabulary: before anything is built.
void check_fit(const Graph& forward, const TrainSettings& settings, const TokenRows& data);

}  // namespace ashlar
