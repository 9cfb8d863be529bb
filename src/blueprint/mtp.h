// Multi-token prediction in training: the model and its layer for the token after the next, at
// once.
#pragma once

#include "blueprint/blueprint.h"

namespace ashlar {

/// Outputs "logits" and kMtpLogits (ops/loss.h), from the same input. Throws Error(invalid) where
/// the blueprint has no such layer.
Graph graph_with_mtp(const Blueprint& blueprint);

/// What a step of training differentiates: graph_with_mtp where that layer is trained, else graph_of.
Graph trained_graph(const Blueprint& blueprint, bool with_mtp);

}  // namespace ashlar
