// Whether a step of training fits into memory, and how: what is known before any of it is taken.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "graph/graph.h"
#include "train/settings.h"
#include "train/step.h"

namespace ashlar {

/// Bytes of `sequences` computed at once: weights, gradients, moments, and the lowered step's
/// arena and packed operands.
int64_t bytes_of_step(const Graph& forward, const StepOptions& options,
                      const TrainSettings& settings, int64_t sequences);

/// Whether layers are to be computed again in the backward pass: as `wanted`, or, where nothing is
/// said, only if the step does not fit into `free` bytes without. Throws Error(resource) with the
/// largest `batch.micro` that fits. `settings` have length and micro.
bool fitting_recomputation(const Graph& forward, StepOptions options, const TrainSettings& settings,
                           std::optional<bool> wanted, int64_t free, const std::string& model);

}  // namespace ashlar
