// The text form of a graph, for snapshots, diffs and people:
//   param @layers.0.attn.q [kv_heads=8, group=2, head_dim=128, d_model=1024] projection rows=3
//   %5 = linear(%4, @layers.0.attn.q) {in_axes=1} layers.0.attn:q
//        : [tokens, kv_heads=8, group=2, head_dim=128]
//   output %812
// Several outputs have names, one line each: output loss %900
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "graph/graph.h"

namespace ashlar {

using OpFactory = std::function<Op(std::string_view name, const std::vector<Attribute>&)>;

/// Reads text() back; throws Error(format) with the line number. `make_op` knows the ops
/// (ops/all.h).
Graph parse_graph(std::string_view text, const OpFactory& make_op);

}  // namespace ashlar
