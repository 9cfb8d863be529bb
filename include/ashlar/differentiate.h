// The training step of a model as a graph: loss and gradients, made by differentiating the forward
// graph. The result is a graph like any other: it is counted, drawn, read back from text and
// executed.
#pragma once

#include <string>
#include <string_view>

#include "graph/graph.h"

namespace ashlar {

struct DifferentiateOptions {
  /// Keep only what passes from layer to layer; the backward pass of a layer begins by recording
  /// its forward pass again (Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost,
  /// section 3). Off: everything that the backward pass reads is kept from the forward pass.
  bool recompute_layers = false;
};

/// The scopes in which the nodes of the backward pass and of a recomputed forward pass stand,
/// before the scope and label of the node they belong to: "backward.layers.3.attn.q".
inline constexpr std::string_view kBackwardScope = "backward";
inline constexpr std::string_view kRecomputedScope = "recomputed";

/// The loss and the gradient of every parameter of `forward`, whose (only) output are the logits
/// [tokens, vocab].
///
/// Outputs, in this order: "loss" [], the mean next-token cross-entropy in nats over the batch's
/// sequences (the last token of each is not scored); then "gradient.<parameter>" per parameter,
/// with its axes. A parameter that is read several times (tied embedding) has one gradient, the
/// sum; one on which the loss does not depend smoothly (the correction bias of a router, which only
/// chooses) has zeros. The choice of experts counts as constant.
///
/// Throws Error(invalid) when the output is not [tokens, vocab], Error(unsupported) when the graph
/// holds an op without derivative.
Graph differentiate(const Graph& forward, const DifferentiateOptions& options = {});

/// The name of the output that holds the gradient of a parameter.
std::string gradient_name(std::string_view parameter);

}  // namespace ashlar
