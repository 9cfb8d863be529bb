// Which part of each parameter one token uses.
#pragma once

#include <cstdint>

#include "graph/graph.h"

namespace ashlar {

/// Experts of which a token goes through `chosen` (1 of 1: everything else).
struct Fraction {
  int64_t chosen = 1, experts = 1;
};
IdVector<ParamId, Fraction> expert_fractions(const Graph& graph);

}  // namespace ashlar
