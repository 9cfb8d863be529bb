// The first block of each kind of a model, as a model of its own.
#include <algorithm>

#include "verify/verify.h"

namespace ashlar {
namespace {

/// The weight's name in the excerpt, whose block `to` is block `from` of the model; empty if it is
/// not of that block.
std::string moved(const std::string& name, size_t from, size_t to) {
  const std::string prefix = "layers." + std::to_string(from) + ".";
  return name.starts_with(prefix)
             ? "layers." + std::to_string(to) + "." + name.substr(prefix.size())
             : "";
}

}  // namespace

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
    if (!name.starts_with("layers.")) {
      part.weights[name] = tensor;
      continue;
    }
    for (size_t to = 0; to < chosen.size(); ++to) {
      const std::string target = moved(name, chosen[to], to);
      if (!target.empty()) part.weights[target] = tensor;
    }
  }
  return part;
}

}  // namespace ashlar
