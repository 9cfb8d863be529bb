// The numbers of a graph's parameters (or of something as large: gradients, moments) as float32,
// one after the other in one piece of memory.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "plan/weights.h"

namespace ashlar {

class ParameterArrays {
 public:
  /// Zeros. Throws Error(resource).
  explicit ParameterArrays(const Params& params);

  std::span<float> operator[](ParamId id) {
    return {values_ + begins_[id], static_cast<size_t>(counts_[id])};
  }
  std::span<const float> operator[](ParamId id) const {
    return {values_ + begins_[id], static_cast<size_t>(counts_[id])};
  }
  void clear();  // zeros
  size_t size() const { return counts_.size(); }
  auto ids() const { return counts_.ids(); }
  int64_t bytes() const { return total_ * static_cast<int64_t>(sizeof(float)); }

  /// Tensors of rows and columns that share this memory and keep it alive.
  Weights tensors(const Params& params) const;
  /// Takes the numbers of tensors of any format. Throws Error(invalid) naming what is missing or of
  /// another size.
  void take(const Params& params, const Weights& weights);

 private:
  IdVector<ParamId, int64_t> begins_, counts_;
  int64_t total_ = 0;
  std::shared_ptr<std::byte> memory_;
  float* values_ = nullptr;
};

struct NamedArrays {
  std::string name;  // "weights", "first_moment", ...
  ParameterArrays* values;
};

}  // namespace ashlar
