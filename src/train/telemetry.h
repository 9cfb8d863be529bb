// What a step says besides its loss: where gradients, updates and activations are large.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "graph/batch.h"
#include "train/executor.h"
#include "train/optimiser.h"
#include "train/parameters.h"

namespace ashlar {

/// Sums of squares of a step's gradients by parameter, and how they usually are.
class GradientHistory {
 public:
  explicit GradientHistory(const Params& params) : usual_(params.size(), 0) {}
  /// Norms of the newest step, one per parameter, which then count as usual: a mean over about 50
  /// steps, of norms that are finite.
  void add(const std::vector<double>& norms);
  /// Of the steps before the newest; 0 before there is any.
  const std::vector<double>& usual() const { return usual_; }

 private:
  std::vector<double> usual_;
  int64_t steps_ = 0;
};

/// Norms of each parameter's gradient, in an order of sums that does not depend on threads.
std::vector<double> gradient_norms(const ParameterArrays& gradients);

/// Telemetry of the steps that have it. Its cost is one copy of the parameters, and a forward pass
/// and a backward pass without weights' gradients over a few sequences of the step.
class Telemetry {
 public:
  /// `parameters` are those that the trainer changes; they must outlive this.
  Telemetry(const Graph& forward, const ParameterArrays& parameters, int threads,
            const std::string& kernels);

  /// Before the update: gradients as they are, and a batch to look at.
  void before(const ParameterArrays& gradients, double gradient_factor, const TokenBatch& batch);
  /// After it: what the step has to say, fields as in docs/training.md. Of elements whose update
  /// has a second moment: those where it is below the square of eps.
  Json after(const Optimiser& optimiser);
  /// What all of it has taken so far.
  double seconds() const { return all_seconds_; }

 private:
  Json groups(const std::vector<double>& squares) const;
  Json shares(const IdVector<ParamId, std::optional<int64_t>>& counts) const;
  Json watch(const TokenBatch& batch);

  const Params params_;
  const ParameterArrays& parameters_;
  ParameterArrays old_;
  Float32Executor executor_;
  std::optional<Float32Executor> gradients_;  // none: nothing is added to a stream
  Json record_;
  double seconds_ = 0, all_seconds_ = 0;  // that it took: this record, all of them
};

}  // namespace ashlar
