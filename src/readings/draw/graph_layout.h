// The nodes of a graph in blocks (layers that are alike, and what stands between layers), columns
// (passes) and rows.
#pragma once

#include <string>
#include <vector>

#include "base/enum_names.h"
#include "graph/graph.h"

namespace ashlar {

/// A box: a node, or a port by which a value enters a block or leaves it.
struct GraphCell {
  Pass pass = Pass::forward;
  bool port = false;
  std::string title;                  // "linear q"
  std::string detail;                 // "[tokens, kv_heads 8, head_dim 128]"
  std::string hover;                  // everything about the node
  std::string kind;                   // part of the node; of a port: "io"
  std::string gradient;               // "gradient of attn.q", where an output of the graph is one
  std::vector<Attribute> attributes;  // of the node's op
  std::vector<size_t> reads;          // cells of the block
  double row = 0;                     // from the top
};

struct GraphBlock {
  std::string title;             // "layers 1, 2 of 3"
  size_t layers = 0;             // 0: what stands before or after the layers
  std::vector<GraphCell> cells;  // in the order of execution within each pass
  double rows = 0;
  int64_t kept = 0;  // bytes per token of what later passes read of earlier ones, of one layer
};

struct GraphLayout {
  std::vector<GraphBlock> blocks;  // from the input of the model on
  std::vector<Pass> passes;        // that occur
  size_t nodes = 0, drawn = 0;     // of the graph, and in the blocks

  /// "9 nodes; 5 drawn, layers that are alike once"
  std::string summary() const;
  /// "layers 1, 2 of 3: keeps 2.00 KiB per token and layer"
  std::string title(const GraphBlock& block) const;
};

GraphLayout layout_of(const Graph& graph);

/// Two of the forms of draw_graph().
std::string graph_mermaid(const GraphLayout& layout);
std::string graph_text(const GraphLayout& layout, int columns);

}  // namespace ashlar
