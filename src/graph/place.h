// Where in a model a node or a parameter stands: read off its name once, when it is recorded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/enum_names.h"

namespace ashlar {

/// Part of a model, as counts, plans, drawings and telemetry group it.
enum class Part : uint8_t {
  embedding,
  positions,
  attention,
  linear_attention,
  ffn,
  experts,
  shared_experts,
  router,
  norm,
  residual,
  head,
  mtp
};
ASHLAR_NAMES(Part, embedding, positions, attention, linear_attention, ffn, experts, shared_experts,
             router, norm, residual, head, mtp);

/// Which way a training step goes through the model: forward, back, or a layer forward again.
enum class Pass : uint8_t { forward, recomputed, backward };
ASHLAR_NAMES(Pass, forward, recomputed, backward);
/// The scopes of those passes, before the scope and label of the node they belong to.
inline constexpr std::string_view kBackwardScope = "backward";
inline constexpr std::string_view kRecomputedScope = "recomputed";

struct Place {
  Pass pass = Pass::forward;
  std::optional<size_t> layer;  // of the trunk
  Part part = Part::embedding;
  bool operator==(const Place&) const = default;
};

/// "layers.3" and "attn" as "layers.3.attn"; where one is empty the other.
std::string joined(std::string_view scope, std::string_view name);

/// Of a canonical name: "layers.3.attn.q" is attention of layer 3, "backward.layers.3.ffn.down" what
/// goes back through the feed-forward part.
Place place_of(std::string_view name);

/// A canonical name without its pass and layer: "attn.q".
std::string_view name_in_layer(std::string_view name);

}  // namespace ashlar
