// What computes a step of training: parameters in, loss and gradients out.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "graph/batch.h"
#include "graph/graph.h"
#include "train/executor.h"
#include "train/parameters.h"
#include "transform/differentiate.h"

namespace ashlar {

/// Numbers of a batch besides its gradients, by the names of the graph's outputs: "loss" has one.
using StepValues = std::map<std::string, std::vector<float>, std::less<>>;

struct StepOptions {
  int threads = 0;                 // 0: one per core
  std::string kernels;             // name of a table (kernels/table.h); empty: the best of this CPU
  Numbers numbers = Numbers::f32;  // what products compute with
  DifferentiateOptions differentiate;
};

/// Runs the training step of a graph whose output is logits, in float32.
class StepExecutor {
 public:
  /// Reads `parameters` where they lie, as they are at each run; they stay the caller's and must
  /// outlive it.
  StepExecutor(const Graph& forward, const ParameterArrays& parameters,
               const StepOptions& options = {});

  /// Forward and backward pass of whole sequences. `gradients` become `weight` times the gradient
  /// of the batch's loss, or with `add` that is added to them.
  StepValues run(const TokenBatch& batch, double weight, ParameterArrays& gradients, bool add);
  /// The loss alone, and the loads of experts where they are asked for.
  StepValues evaluate(const TokenBatch& batch);
  /// Loads per expert for a balance loss over kGivenLoad (ashlar/differentiate.h), until the next.
  void give_load(std::span<const float> load);
  /// Per parameter whether the loss depends smoothly on it: what else it has (the correction bias
  /// of a router) no optimiser touches.
  const IdVector<ParamId, bool>& trained() const { return trained_; }
  /// What runs the step, for its times and memory.
  const Float32Executor& executor() const { return backward_; }
  /// Its threads, for what else a step does.
  Products& products() { return backward_.products(); }

 private:
  /// The parameters, and the loads that a step may be given.
  Weights weights_of(const ParameterArrays& parameters, const Graph& forward);

  const Graph step_, loss_;
  const Float32Options options_;
  const size_t outputs_before_gradients_;
  std::span<float> given_load_;
  const Weights weights_;
  Float32Executor backward_, forward_;
  IdVector<ParamId, bool> trained_;
};

}  // namespace ashlar
