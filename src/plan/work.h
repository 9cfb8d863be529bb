// What running a plan takes: for a batch, what every step reads, computes and waits for.
// Predictions sum it up; the executor's own account of its steps is the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/batch.h"
#include "plan/plan.h"

namespace ashlar {

/// A batch, as far as the work of a plan depends on it.
struct BatchLoad {
  Workload all;        // runs of tokens
  int64_t wanted = 1;  // of them, tokens whose output is wanted
  Format state = Format::f16;
  int threads = 1;
  /// Experts of a layer that some token chose; none: as many as even, independent choices touch on
  /// average.
  std::optional<int64_t> active_experts;
};

/// What is done to rows, by the kernel that does it.
enum class RowKernel : uint8_t { norm, rope, gated, softcap, prepare, other };

/// A part of a step: one product, an attention, one row operation.
struct Work {
  enum class What : uint8_t { rows, product, experts, attention } what = What::rows;
  NodeId node;              // of the graph, that it is a part of
  int64_t operations = 0;   // a multiply-add is two
  double weight_bytes = 0;  // of matrices and rows of tables; of experts, those touched
  int64_t state_bytes = 0;  // keys and values read; of a fixed size, read and written

  // Products: numbers of the matrix that are read, and the tokens that each of them meets.
  Format format = Format::f32;
  double weights = 0, tokens = 0;
  int64_t cols = 0;
  bool packed = false;  // read as panels made beforehand

  // Attention: query heads that share a key, queries of one run, keys that each sees on average.
  int64_t group = 1, k_dim = 0, v_dim = 0, queries = 1, context = 0;

  // Rows: numbers that the kernel goes over.
  RowKernel kernel = RowKernel::other;
  int64_t numbers = 0;
};

/// A step without tokens has no tasks and no parts: it is passed over.
struct StepWork {
  std::vector<Work> parts;
  int64_t tasks = 0;             // that threads share
  int64_t activation_bytes = 0;  // of the rows that it reads or writes, each once
};

StepWork work_of(const Plan& plan, const Step& step, const BatchLoad& load);

/// By step.
std::vector<StepWork> work_of(const Plan& plan, const BatchLoad& load);

/// The group that a step belongs to in profiles and predictions: "attention products", "rows", ...
std::string group_of(const Plan& plan, const Step& step);

}  // namespace ashlar
