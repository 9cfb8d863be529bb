// Low-rank adapters (Hu et al. 2021, 2106.09685) as a rewriting of a graph.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace ashlar {

/// W of `parameter` acts as W + scale B A: A [rank, in], B [out, rank] are parameters of the graph;
/// of experts there are `matrices` of each.
struct LoraPair {
  std::string parameter, a, b;
  double scale = 1;
  int64_t matrices = 1;
};

/// The graph with y = W x + (alpha / rank) B (A x) in the place of every projection y = W x of a
/// layer, experts' among them, and the pairs that were added. Parameters of the graph keep their order; those of the
/// adapters ("layers.0.attn.q.lora_a", "... .lora_b") come after them.
Graph with_lora(const Graph& forward, int64_t rank, double alpha, std::vector<LoraPair>* pairs);

}  // namespace ashlar
