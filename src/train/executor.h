// Executes any graph, backward passes among them, on all cores, by the steps it is lowered to:
// values are float32, in one arena. Exact, what an op computes between reading and writing them is
// double; else sums of products are float32 or take operands rounded to bfloat16, and rows are
// computed in float32.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_memory.h"
#include "graph/array.h"
#include "graph/graph.h"
#include "plan/weights.h"
#include "train/lowering.h"
#include "train/products.h"

namespace ashlar {

struct Float32Options {
  int threads = 0;           // 0: one per core
  std::string kernels;       // name of a table (kernels/table.h); empty: the best of this CPU
  bool plain_loops = false;  // no fast path: what they are compared with
  /// What products compute with. A gradient is as exact as the model lets it be: some magnify an
  /// error of float32's last digit a thousandfold.
  Numbers numbers = Numbers::f64;
};

/// What a run has in memory at once, at most, beside the weights and the space of its products.
struct ValueBytes {
  int64_t of_tokens = 0;  // values with a row per token: activations and their gradients
  int64_t others = 0;     // gradients of parameters, and parts of them before they are added up
  int64_t arena = 0;      // that hold both, but for results that lie where the caller wants them
};

/// Seconds of the steps of one op, and how many they are.
struct StepTime {
  double seconds = 0;
  int64_t steps = 0;
};

class Float32Executor {
 public:
  /// Weights are read as float32, converted when first used; what lies in memory as float32 may
  /// change between runs. Throws Error(invalid) when they do not fit the graph.
  Float32Executor(const Graph& graph, const Weights& weights, const Float32Options& options = {});

  /// All outputs of the graph, in its order.
  std::vector<Array<float>> run(const TokenBatch& batch);
  /// Outputs go where `to` says, one place for each; with `add` those that are gradients (of
  /// parameters) are added to what is there. Losses have the weight in what begins with them.
  void run(const TokenBatch& batch, std::span<float* const> to, double weight, bool add);
  /// Of batches of so many tokens.
  ValueBytes bytes(int64_t tokens) const;
  /// Of the arena as it is now.
  int64_t allocated_bytes() const { return arena_bytes_; }
  Products& products() { return products_; }
  const TrainingLowering& lowering() const { return lowering_; }
  /// Told after each step how many are done, of how many.
  void on_progress(std::function<void(int64_t done, int64_t total)> progress) {
    progress_ = std::move(progress);
  }
  /// By the name of the op, over all runs.
  const std::map<std::string_view, StepTime>& times() const { return times_; }

 private:
  void lay_out(int64_t tokens);
  StepSlot slot(const Input& in);
  StepSlot slot(ValueId id);
  void run_steps(TrainingFrame& frame, size_t begin, size_t end);

  const TrainingLowering lowering_;
  const Float32Options options_;
  BoundWeights weights_;
  Products products_;
  std::function<void(int64_t, int64_t)> progress_;
  std::map<std::string_view, StepTime> times_;

  int64_t tokens_ = -1;  // what is laid out for
  int64_t chunk_ = 0;
  TrainingLowering::Places places_;
  MappedMemory arena_;
  int64_t arena_bytes_ = 0;
  std::vector<TrainingStep> steps_;
  struct Elsewhere {  // a slot of a step that lies where the caller says
    StepSlot* slot = nullptr;
    StepSlot* start = nullptr;  // the step's, where it is the first to write it
    size_t output = 0;
  };
  std::vector<Elsewhere> elsewhere_;
  std::vector<Array<float>> arrays_;
};

}  // namespace ashlar
