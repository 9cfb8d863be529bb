// Arrays that the plain-loop meaning of an op reads and writes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/batch.h"

namespace ashlar {

/// Sizes are resolved: the tokens axis has its number. Exactly one of values and indices is filled.
template <class F>
struct Array {
  std::vector<int64_t> sizes;
  std::vector<F> values;
  std::vector<int64_t> indices;

  /// Elements of the trailing `axes` axes together.
  int64_t inner(size_t axes) const {
    int64_t n = 1;
    for (size_t i = sizes.size() - axes; i < sizes.size(); ++i) n *= sizes[i];
    return n;
  }
  int64_t elements() const { return inner(sizes.size()); }
};

/// Inputs of a node with the batch they belong to. Parameters and values look alike.
template <class F>
struct In {
  const TokenBatch& batch;
  std::vector<const Array<F>*> arrays;
  size_t size() const { return arrays.size(); }
  const Array<F>& operator[](size_t i) const { return *arrays[i]; }
};

/// Outputs of a node: sized, zeroed.
template <class F>
using Out = std::vector<Array<F>>;

}  // namespace ashlar
