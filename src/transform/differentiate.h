// The training step of a model as a graph: loss and gradients, made by differentiating the forward
// graph. The result is a graph like any other: it is counted, drawn, read back from text and
// executed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/graph.h"

namespace ashlar {

/// What is added to the cross-entropy, each by its weight; 0: not part of the graph. Routers are
/// taken together over layers, as Transformers does; a sequence's balance is the mean over layers.
struct AuxiliaryLosses {
  double z = 0;         // mean over predicted tokens of ln(sum exp logits)^2
  double router_z = 0;  // the same of routers, mean over tokens and layers
  double balance = 0;   // ops/router_losses.h
  enum class Over : uint8_t {
    batch,     // loads of the batch
    sequence,  // of each sequence by itself
    given,     // of kGivenLoad, a parameter [experts] of the step's graph beside the model's
  } over = Over::batch;
  bool loads = false;  // whether the loads of experts are outputs
  double mtp = 0;      // mean cross-entropy of the token after the next, of kMtpLogits
};
inline constexpr std::string_view kGivenLoad = "given_load";

struct DifferentiateOptions {
  /// Keep only what passes from layer to layer; the backward pass of a layer begins by recording
  /// its forward pass again (Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost,
  /// section 3). Off: everything that the backward pass reads is kept from the forward pass.
  bool recompute_layers = false;
  AuxiliaryLosses losses;
  /// Parameters that are not trained: their gradients are zeros, and nothing is computed for them.
  std::vector<std::string> frozen;
  /// Values of the forward graph, by the names of outputs that say the mean square of their
  /// gradients. Where there are any, they are all that the step has as outputs.
  std::vector<std::pair<std::string, ValueId>> watched;
};

/// The loss and the gradient of every parameter of `forward`, whose output are the logits
/// [tokens, vocab], alone or with kMtpLogits (ops/loss.h) after them.
///
/// Outputs, in this order: "loss" [], the mean next-token cross-entropy in nats over the batch's
/// sequences (the last token of each is not scored); "z_loss", "mtp_loss", "router_z_loss",
/// "balance_loss" [] where asked for, before their weights; "load.<scope>" [experts] per router where asked for; then
/// "gradient.<parameter>" per parameter of the weighted sum of losses, with its axes. A parameter
/// that is read several times (tied embedding) has one gradient, the sum; one on which the loss
/// does not depend smoothly (the correction bias of a router, which only chooses) has zeros. The
/// choice of experts counts as constant.
///
/// Throws Error(invalid) when the output is not [tokens, vocab], Error(unsupported) when the graph
/// holds an op without derivative.
Graph differentiate(const Graph& forward, const DifferentiateOptions& options = {});

/// The forward half alone: output "loss" as above, and with `loads` those.
Graph loss_of(const Graph& forward, bool loads = false);

/// The name of the output that holds the gradient of a parameter.
std::string gradient_name(std::string_view parameter);

}  // namespace ashlar
