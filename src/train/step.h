// What computes a step of training: parameters in, loss and gradients out. The trainer knows no
// more of it, so that whatever executes the graph can take its place.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/batch.h"
#include "graph/graph.h"
#include "train/parameters.h"
#include "train/products.h"
#include "transform/differentiate.h"

namespace ashlar {

/// Numbers of a batch besides its gradients, by the names of the graph's outputs: "loss" has one.
using StepValues = std::map<std::string, std::vector<float>, std::less<>>;

class Float32Executor;

class StepExecutor {
 public:
  virtual ~StepExecutor() = default;
  /// Forward and backward pass of whole sequences. `gradients` become `weight` times the gradient
  /// of the batch's loss, or with `add` that is added to them.
  virtual StepValues run(const TokenBatch& batch, double weight, ParameterArrays& gradients,
                         bool add) = 0;
  /// The loss alone, and the loads of experts where they are asked for.
  virtual StepValues evaluate(const TokenBatch& batch) = 0;
  /// Loads per expert for a balance loss over kGivenLoad (ashlar/differentiate.h), until the next.
  virtual void give_load(std::span<const float> load) = 0;
  /// Per parameter whether the loss depends smoothly on it: what else it has (the correction bias
  /// of a router) no optimiser touches.
  virtual const IdVector<ParamId, bool>& trained() const = 0;
  /// What runs the step, for its times and memory.
  virtual const Float32Executor& executor() const = 0;
  /// Its threads, for what else a step does.
  virtual Products& products() = 0;
};

struct StepOptions {
  int threads = 0;                 // 0: one per core
  std::string kernels;             // name of a table (kernels/table.h); empty: the best of this CPU
  Numbers numbers = Numbers::f32;  // what products compute with
  DifferentiateOptions differentiate;
};

/// Runs the training step of `forward`, whose output are logits, in float32. Reads `parameters`
/// where they lie, as they are at each run; they stay the caller's and must outlive it.
std::unique_ptr<StepExecutor> float32_steps(const Graph& forward, const ParameterArrays& parameters,
                                            const StepOptions& options = {});

}  // namespace ashlar
