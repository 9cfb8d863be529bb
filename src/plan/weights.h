// Weights as a graph asks for them: held against its parameters, and in the forms that steps read.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "graph/array.h"
#include "graph/graph.h"
#include "kernels/table.h"
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

/// Forms in which steps read a parameter where they do not read it as its file has it.
enum class WeightForm : uint8_t {
  floats,            // float32, row-major over its axes
  transposed_heads,  // per head h of [heads, n, r] the transpose [r, n]
  panels,            // of a kernel table (kernels/table.h)
  array,             // what a plain-loop meaning reads
};

/// Bytes of all panels of a matrix.
int64_t panels_bytes(const kernels::Table& table, const Matrix& rows);

/// The weights of one graph. Keeps the tensors' bytes alive, and owns every form that had to be
/// made of them: each once, whoever reads it, large ones in huge pages where the system has some.
/// Weights without bytes have forms without bytes, of the same sizes.
class BoundWeights {
 public:
  /// Throws Error(invalid) that names every parameter that is missing or of another size.
  BoundWeights(const Graph& graph, const Weights& weights);

  /// The parameter as it lies in memory.
  Matrix matrix(ParamId id) const;
  /// As float32; where it is float32 already, as it lies.
  const float* floats(ParamId id);
  /// Per head the transpose, in a plain format: float32 if asked for, else its own or bfloat16.
  Matrix transposed_heads(ParamId id, bool f32);
  /// In the panels of the table's products; `rows` is how they see it, in a plain format.
  const std::byte* panels(ParamId id, const Matrix& rows, const kernels::Table& table);
  std::shared_ptr<const Array<float>> array(ParamId id);
  const Param& param(ParamId id) const { return params_[id]; }

  /// Bytes of all forms that were made, or of one kind of them.
  int64_t made_bytes() const;
  int64_t made_bytes(WeightForm form) const;

 private:
  const Tensor& tensor(ParamId id) const { return tensors_[id]; }
  bool weightless(ParamId id) const { return tensor(id).data == nullptr; }

  Params params_;
  IdVector<ParamId, Tensor> tensors_;
  std::map<std::pair<WeightForm, ParamId>, Tensor> made_;
  std::map<ParamId, std::shared_ptr<const Array<float>>> arrays_;
};

}  // namespace ashlar
