// Executes any graph, backward passes among them, on all cores: values are float32, what an op
// computes between reading and writing them is double. Products, attention,
// experts and their gradients have fast paths, the rest runs as the ops' plain loops; values are
// freed after their last use.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "graph/array.h"
#include "graph/graph.h"
#include "plan/weights.h"
#include "train/products.h"

namespace ashlar {

struct Float32Options {
  int threads = 0;           // 0: one per core
  std::string kernels;       // name of a table (kernels/table.h); empty: the best of this CPU
  bool plain_loops = false;  // no fast path: what they are compared with
  /// Sums of products in float32 instead of double: twice as fast. A gradient is as exact as the
  /// model lets it be: some magnify an error of float32's last digit a thousandfold.
  bool float32_sums = false;
};

/// What a run had in memory at once, at most, beside the weights and the space of its products.
struct ValueBytes {
  int64_t of_tokens = 0;  // values with a row per token: activations and their gradients
  int64_t others = 0;     // gradients of parameters, and parts of them before they are added up
  int64_t outputs = 0;    // what it returned
};

class Float32Executor {
 public:
  /// The graph's composites are expanded. Weights are read as float32, converted when first used;
  /// what lies in memory as float32 may change between runs.
  /// Throws Error(invalid) when they do not fit the graph.
  Float32Executor(const Graph& graph, const Weights& weights, const Float32Options& options = {});

  /// All outputs of the graph, in its order.
  std::vector<Array<float>> run(const TokenBatch& batch);
  /// Hands back arrays of an earlier run, whose memory the next one takes.
  void recycle(std::vector<Array<float>>&& arrays);
  /// Of the last run.
  const ValueBytes& peak() const { return peak_; }
  Products& products() { return products_; }
  /// Told after each node how many are done, of how many.
  void on_progress(std::function<void(int64_t done, int64_t total)> progress) {
    progress_ = std::move(progress);
  }

 private:
  std::vector<float> take(size_t count);
  void give(std::vector<float>&& values);

  const Graph graph_;
  BoundWeights weights_;
  bool plain_loops_, float32_sums_;
  /// Memory of values that are no longer needed, by size: a step takes none from the system.
  std::multimap<size_t, std::vector<float>> free_;
  Products products_;
  std::function<void(int64_t, int64_t)> progress_;
  ValueBytes peak_;
};

/// What a node reads: float32 values or indices, of a value or parameter.
struct Operand {
  const float* values = nullptr;
  const int64_t* indices = nullptr;
  std::vector<int64_t> sizes;
  int64_t inner(size_t axes) const;
};
using Operands = std::vector<Operand>;

/// Run an op by its fast path; false if it has none. `out` is sized and zeroed.
bool run_linear(const Op& op, const Operands& in, Products& products, Numbers numbers,
                Out<float>& out);
bool run_experts(const Op& op, const Operands& in, Products& products, Numbers numbers,
                 Out<float>& out);
bool run_attention(const Op& op, const Operands& in, const TokenBatch& batch, Products& products,
                   Numbers numbers, Out<float>& out);
/// Norms, activations, rotations and the loss in float32: with float32_sums.
bool run_float_rows(const Op& op, const Operands& in, const TokenBatch& batch, Products& products,
                    Out<float>& out);
/// Sums and products of many numbers, and looking up rows.
bool run_rows(const Op& op, const Operands& in, Products& products, Out<float>& out);

}  // namespace ashlar
