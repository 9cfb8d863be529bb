// Random weights of a graph, of a scale that keeps activations alive, for tests of the engine.
#pragma once

#include <cmath>
#include <cstring>
#include <random>
#include <string>

#include "graph/graph.h"
#include "plan/weights.h"

namespace ashlar::testing {

/// Weights in `format` where rows divide into its blocks (vectors, biases and norms stay float32).
inline Weights random_weights(const Graph& graph, uint64_t seed = 1, Format format = Format::f32) {
  Weights weights;
  std::mt19937_64 random(seed);
  for (const Param& p : graph.params()) {
    std::byte* data = nullptr;
    Sizes sizes;
    if (p.row_axes > 0) sizes = {p.rows(), p.cols()};
    if (p.row_axes == 0) sizes = {p.elements()};
    Tensor t = make_tensor(Format::f32, sizes, &data);
    const bool small = p.role == Role::norm || p.role == Role::bias || p.role == Role::sink;
    const float scale = p.role == Role::norm ? 0.2f
                        : small || p.role == Role::embedding
                            ? 0.5f
                            : 1.2f / std::sqrt(static_cast<float>(p.cols()));
    std::normal_distribution<float> normal(p.role == Role::norm ? 1.0f : 0.0f, scale);
    for (int64_t i = 0; i < p.elements(); ++i) {
      const float v = normal(random);
      std::memcpy(data + i * 4, &v, 4);
    }
    if (!small && p.cols() % info(format).block_len == 0) t = convert(t, format);
    weights.emplace(p.name, std::move(t));
  }
  return weights;
}

}  // namespace ashlar::testing
