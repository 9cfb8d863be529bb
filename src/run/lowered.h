// One graph of an engine: its plan, what it remembers of the sequences, and the rows that it gives.
#pragma once

#include <algorithm>
#include <exception>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "run/engine.h"
#include "run/executor.h"

namespace ashlar {

/// Rows of each output for which there is room from the start; more is made where more are wanted.
inline int64_t first_rows(const EngineOptions& o) { return std::min(o.sequences, o.chunk); }

PlanOptions plan_options(const EngineOptions& options);

class Lowered {
 public:
  Lowered(const Graph& graph, const Weights& weights, const EngineOptions& options,
          ThreadPool& pool);

  /// Begins a step of the engine: room for `rows` rows of the first output, and `further` of the
  /// others. Throws Error(resource).
  void begin(int64_t rows, int64_t further);
  /// Evaluates the batch; its rows come after those of the batches before it.
  void run(StepBatch& batch);
  /// Where the rows of the next batch go.
  const std::vector<float*>& place();
  /// Rows since begin().
  std::span<const float> output(size_t index) const;
  std::vector<float> take(size_t index);
  int64_t output_bytes() const;

  Plan plan;
  StatePool state;
  Executor executor;

 private:
  struct Rows {
    std::vector<float> floats;
    int64_t width = 0, given = 0;
  };
  void make_room(Rows& output, int64_t rows);

  std::vector<Rows> outputs_;
  std::vector<float*> place_;
  size_t tail_ = 0, further_end_ = 0;  // steps, as run() has them
  bool first_is_early_ = false;        // the first output is made before further_end_
  std::vector<int32_t> every_, kept_;  // rows of a batch: all, and the wanted ones meanwhile
};

}  // namespace ashlar
