// What part of a model a parameter or node belongs to, read off its name and scope.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "graph/graph.h"

namespace ashlar {

/// embedding, positions, attention, linear_attention, ffn, experts, shared_experts, router, norm,
/// residual, head, mtp.
std::string_view kind_of(const Param& param);
std::string_view kind_of(const Node& node);

/// N of "layers.N" or "layers.N.attn.q"; nothing outside of the layers.
std::optional<size_t> layer_of(std::string_view name);

/// Experts of which a token goes through `chosen` (1 of 1: everything else).
struct Fraction {
  int64_t chosen = 1, experts = 1;
};
/// Which part of each parameter one token uses.
IdVector<ParamId, Fraction> expert_fractions(const Graph& graph);

}  // namespace ashlar
