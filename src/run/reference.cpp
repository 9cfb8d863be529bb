// Float copies of weights for the plain loops.
#include "run/reference.h"

#include "base/error.h"

namespace ashlar {

const Array<float>& ReferenceWeights::operator()(const Param& param) {
  const auto [it, made] = made_.try_emplace(param.name);
  if (made) {
    const auto tensor = weights_.find(param.name);
    if (tensor == weights_.end())
      fail(ErrorKind::invalid, "weights do not fit the graph: {} is missing", param.name);
    for (const Axis& a : param.axes) it->second.sizes.push_back(a.size);
    it->second.values = to_f32(tensor->second);
  }
  return it->second;
}

std::vector<float> reference_logits(const Graph& graph, const Weights& weights,
                                    std::span<const TokenId> tokens) {
  ReferenceWeights reference(weights);
  return evaluate<float>(graph, reference.values(),
                         TokenBatch::whole({tokens.begin(), tokens.end()}))
      .values;
}

}  // namespace ashlar
