// Which part of each parameter one token uses: of experts, those that are chosen.
#include "ops/fractions.h"

#include "ops/experts.h"
#include "ops/linear.h"

namespace ashlar {

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
