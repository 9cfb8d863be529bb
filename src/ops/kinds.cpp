// Kinds by scope: layers.N.attn, layers.N.ffn.experts, ...
#include "ops/kinds.h"

#include <charconv>

#include "ops/experts.h"
#include "ops/linear.h"

namespace ashlar {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// Of something within a layer: `rest` is what follows "layers.N.".
std::string_view kind_in_layer(std::string_view rest) {
  if (rest == "attn" || rest.starts_with("attn.")) return "attention";
  if (rest == "linear_attn" || rest.starts_with("linear_attn.")) return "linear_attention";
  if (rest.starts_with("ffn.experts")) return "experts";
  if (rest.starts_with("ffn.shared")) return "shared_experts";
  if (rest.starts_with("ffn.router") || rest == "ffn.route") return "router";
  if (rest == "ffn" || rest.starts_with("ffn.")) return "ffn";
  return contains(rest, "norm") ? "norm" : "residual";
}

std::string_view kind_of_name(std::string_view name) {
  if (name.starts_with("mtp.")) return "mtp";
  if (name.starts_with("layers.")) {
    const size_t dot = name.find('.', 7);
    return dot == std::string_view::npos ? "residual" : kind_in_layer(name.substr(dot + 1));
  }
  if (name.starts_with("final_norm")) return "norm";
  if (name.starts_with("positions")) return "positions";
  if (name.starts_with("head") || name.starts_with("logits")) return "head";
  return "embedding";
}

}  // namespace

std::string_view kind_of(const Param& param) { return kind_of_name(param.name); }

std::string_view kind_of(const Node& node) {
  if (node.scope.empty()) return kind_of_name(node.label);
  return kind_of_name(node.label.empty() ? node.scope : node.scope + "." + node.label);
}

std::optional<size_t> layer_of(std::string_view name) {
  if (!name.starts_with("layers.")) return std::nullopt;
  size_t layer = 0;
  const auto r = std::from_chars(name.data() + 7, name.data() + name.size(), layer);
  if (r.ec != std::errc()) return std::nullopt;
  return layer;
}

IdVector<ParamId, Fraction> expert_fractions(const Graph& graph) {
  IdVector<ParamId, Fraction> fractions(graph.params().size());
  for (const Node& node : graph.nodes()) {
    const bool ffn = node.op.as<ExpertFfn>() != nullptr;
    if (!ffn && node.op.as<ExpertLinear>() == nullptr) continue;
    const int64_t chosen = graph.type(node.inputs[ffn ? 2 : 1]).axes[1].size;
    for (const Input& in : node.inputs) {
      if (in.is_param()) fractions[in.param] = {chosen, graph.params()[in.param].axes[0].size};
    }
  }
  return fractions;
}

}  // namespace ashlar
