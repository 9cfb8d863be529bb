// The first block of each kind of a model, as a model of its own.
#include <fmt/format.h>

#include <algorithm>

#include "graph/place.h"
#include "verify/verify.h"

namespace ashlar {

Model excerpt(const Model& model, size_t most_blocks) {
  std::vector<size_t> chosen;
  for (size_t i = 0; i < model.blueprint.blocks.size() && chosen.size() < most_blocks; ++i) {
    const bool known = std::any_of(chosen.begin(), chosen.end(), [&](size_t j) {
      return model.blueprint.blocks[i] == model.blueprint.blocks[j];
    });
    if (!known) chosen.push_back(i);
  }
  Model part;
  part.source = model.source;
  part.blueprint = model.blueprint;
  part.blueprint.blocks.clear();
  part.blueprint.mtp.clear();
  for (const size_t i : chosen) part.blueprint.blocks.push_back(model.blueprint.blocks[i]);
  part.graph = graph_of(part.blueprint);
  for (const auto& [name, tensor] : model.weights) {
    if (name.starts_with("mtp.")) continue;
    const auto layer = place_of(name).layer;
    if (!layer) {
      part.weights[name] = tensor;
      continue;
    }
    const auto at = std::find(chosen.begin(), chosen.end(), *layer);
    if (at != chosen.end())
      part.weights[fmt::format("layers.{}.{}", at - chosen.begin(), name_in_layer(name))] = tensor;
  }
  return part;
}

}  // namespace ashlar
