// Random weights from a seed: the right shapes and scale, so that an architecture can run before
// anybody has trained it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "model/model.h"

namespace ashlar {

/// Matrices are normal with deviation 1 / sqrt(fan in), tables 0.02; norms lie near 1, biases near
/// 0. A parameter's numbers depend on its name and the seed only. `weights` names a format or a mix
/// ("q4_k_m"). Throws Error(invalid) for a format that is not written, Error(resource) before any
/// memory is taken.
Weights random_weights(const Blueprint& blueprint, const Params& params, uint64_t seed,
                       const std::string& weights,
                       const std::function<void(int64_t, int64_t)>& progress);

}  // namespace ashlar
