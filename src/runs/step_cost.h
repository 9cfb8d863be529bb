// What a step of training costs: measured op by op, and planned without running one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "train/lowering.h"

namespace ashlar {

struct StepCostOptions {
  int64_t sequences = 8, length = 256;  // of a step, computed at once
  std::string precision;                // f32, bf16; empty: the faster one here
  bool recompute = false;
  bool mtp = false;     // with the loss of the token after the next, of trained_graph(..., true)
  int threads = 0;      // 0: one per core
  std::string kernels;  // name of a table; empty: the best
  int64_t steps = 5;    // measured, after one that is not; the fastest counts
};

/// The steps of one op together, per step of training.
struct OpCost {
  std::string op;
  double seconds = 0;
  double operations = 0;  // floating-point
};

struct StepMeasurement {
  std::string model;
  StepCostOptions options;  // filled in
  double seconds = 0;       // of a step
  double tokens_per_second = 0;
  double operations = 0;                     // of the graph's step
  double products_per_second = 0;            // operations of products alone, per second they took
  double limit_per_second = 0;               // what a large product of that precision reaches here
  std::vector<OpCost> ops;                   // by falling time; "optimiser" among them
  int64_t planned_bytes = 0;                 // of the arena
  int64_t arena_bytes = 0, space_bytes = 0;  // allocated: arena, packed operands
};

/// Trains a few steps on random ids. Throws Error(invalid) where they do not fit the graph.
StepMeasurement measure_step(const Graph& forward, const StepCostOptions& options);

/// Bytes by what they are for.
struct StepMemory {
  int64_t weights = 0, gradients = 0, moments = 0, activations = 0, space = 0;
  int64_t total() const { return weights + gradients + moments + activations + space; }
};

struct StepPlan {
  std::string model;
  StepCostOptions options;
  StepMemory kept, recomputed;                 // layers' activations kept, or computed again
  double seconds = 0, recomputed_seconds = 0;  // of a step
  double tokens_per_second = 0, recomputed_tokens_per_second = 0;
  int64_t available = 0;                        // bytes of memory
  int64_t largest = 0, largest_recomputed = 0;  // sequences computed at once that fit
};

/// From the graph and rates probed in a fraction of a second.
StepPlan plan_step(const Graph& forward, const StepCostOptions& options);

/// What operands packed for products take, about: the smaller one of the largest product, a block
/// per thread.
int64_t packed_bytes(const TrainingLowering& lowering, int64_t tokens, int threads);

/// The largest number up to `most` for which bytes(number), which grows with it, are at most
/// `free`; 0: none.
template <class F>
int64_t largest_fitting(const F& bytes, int64_t free, int64_t most) {
  int64_t fits = 0, too_many = most + 1;
  while (too_many - fits > 1) {
    // Doubled until it is too much: what does not fit may be far away.
    const int64_t n =
        too_many > most ? std::min(std::max<int64_t>(1, 2 * fits), most) : (fits + too_many) / 2;
    (bytes(n) <= free ? fits : too_many) = n;
  }
  return fits;
}

std::string measurement_text(const StepMeasurement& m);
std::string measurement_json(const StepMeasurement& m);
std::string step_plan_text(const StepPlan& p);
std::string step_plan_json(const StepPlan& p);

}  // namespace ashlar
