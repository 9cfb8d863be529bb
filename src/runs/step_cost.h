// What a step of training costs: measured op by op, and planned without running one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/json_members.h"
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
  ASHLAR_JSON(sequences, length, precision, recompute, mtp, threads, kernels);
};

/// The steps of one op together, per step of training.
struct OpCost {
  std::string op;
  double seconds = 0;
  double operations = 0;  // floating-point
  ASHLAR_JSON(op, seconds, operations);
};

struct StepMeasurement {
  std::string model;
  StepCostOptions options;  // filled in
  double seconds = 0;       // of a step
  double tokens_per_second = 0;
  double operations = 0;           // of the graph's step
  double products_per_second = 0;  // operations of products alone, per second they took
  double limit_per_second = 0;     // what a large product of that precision reaches here
  std::vector<OpCost> ops;         // by falling time; "optimiser" among them
  struct Bytes {
    int64_t planned = 0;                  // of the arena
    int64_t activations = 0, packed = 0;  // allocated: arena, packed operands
    ASHLAR_JSON(planned, activations, packed);
  } memory;
  ASHLAR_JSON(model, options, seconds, tokens_per_second, operations, products_per_second,
              limit_per_second, ops, memory);
};

/// Trains a few steps on random ids. Throws Error(invalid) where they do not fit the graph.
StepMeasurement measure_step(const Graph& forward, const StepCostOptions& options);

/// Bytes by what they are for.
struct StepMemory {
  int64_t weights = 0, gradients = 0, moments = 0, activations = 0, packed = 0, total = 0;
  ASHLAR_JSON(weights, gradients, moments, activations, packed, total);
};

struct StepPlan {
  std::string model;
  StepCostOptions options;
  int64_t available = 0;  // bytes of memory
  struct Way {
    StepMemory memory;
    double seconds = 0, tokens_per_second = 0;  // of a step
    int64_t largest_batch = 0;                  // sequences computed at once that fit
    ASHLAR_JSON(memory, seconds, tokens_per_second, largest_batch);
  };
  Way kept, recomputed;  // layers' activations kept, or computed again
  ASHLAR_JSON(model, options, available, kept, recomputed);
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
std::string step_plan_text(const StepPlan& p);

}  // namespace ashlar
