// Weights as a graph asks for them: held against its parameters, and in the forms that steps read.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "graph/array.h"
#include "graph/graph.h"
#include "tensor/tensor.h"

namespace ashlar {

/// Tensors by canonical parameter name; each holds rows() x cols() of its Param (graph/graph.h),
/// rows in order.
using Weights = std::map<std::string, Tensor>;

/// Weights of those formats without their bytes: a plan can be laid out for them, not run.
Weights weightless(const Graph& graph, const std::function<Format(const Param&)>& formats);

/// Rows of a weight in its own format.
struct Matrix {
  Format format = Format::f32;
  const std::byte* data = nullptr;
  int64_t rows = 0, cols = 0;
  int64_t row_bytes = 0;
  int64_t bytes() const { return rows * row_bytes; }
};

/// The weights of one graph. Keeps the tensors' bytes alive, and owns what had to be made from
/// them.
class BoundWeights {
 public:
  /// Throws Error(invalid) that names every parameter that is missing or of another size.
  BoundWeights(const Graph& graph, const Weights& weights);

  /// The parameter as it lies in memory.
  Matrix matrix(ParamId id) const;
  /// The parameter as float32, row-major over its axes; converted once where it is not.
  const float* floats(ParamId id);
  /// Per head h of [heads, n, r] the transpose [r, n], in a plain format, or in float32.
  Matrix transposed_heads(ParamId id, bool f32);
  /// What a plain-loop meaning reads.
  std::shared_ptr<const Array<float>> array(ParamId id);
  const Param& param(ParamId id) const { return params_[static_cast<size_t>(id)]; }
  int64_t made_bytes() const;  // of the converted copies

 private:
  std::vector<Param> params_;
  std::vector<Tensor> tensors_;  // by parameter
  std::map<ParamId, Tensor> floats_, transposed_;
  std::map<ParamId, std::shared_ptr<const Array<float>>> arrays_;
};

}  // namespace ashlar
