// Draw: the nodes of any graph as a diagram, those of a training step among them.
//
//   const ashlar::Graph step = ashlar::differentiate(ashlar::graph_of(bp));
//   std::string svg = ashlar::draw_graph(step);
//
// Layers whose nodes are alike are drawn once. The forward pass runs down the left column of a
// layer; a forward pass that is computed again and the backward pass stand beside it, each node of
// the backward pass (which runs up) in the row of the forward node that it belongs to. What crosses
// from column to column is what a step of training keeps.
#pragma once

#include <string>

#include "graph/graph.h"
#include "readings/draw/draw.h"

namespace ashlar {

/// `options.format`, `standalone` and (text) `columns` as for draw(). Works on graphs of any kind:
/// forward, differentiated, expanded.
std::string draw_graph(const Graph& graph, const DrawOptions& options = {});

}  // namespace ashlar
