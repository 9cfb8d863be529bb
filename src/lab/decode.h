// How fast a trained arm decodes, and what it has to remember.
#pragma once

#include "base/json.h"
#include "graph/graph.h"
#include "plan/weights.h"

namespace ashlar::lab {

/// One sequence, token by token, on one thread, with float32 weights and 16 bits a number of state:
///   context             tokens it holds at the end; measured over the second half of them
///   tokens_per_second   by the fastest tenth of the steps: others were disturbed
///   state_bytes         allocated for so many tokens
Json decode_speed(const Graph& graph, const Weights& weights, int64_t context);

}  // namespace ashlar::lab
