// Ops that carry a state of fixed size from token to token.
#include <algorithm>

#include "ops/convolution.h"
#include "plan/lowering.h"

namespace ashlar {

bool Lowering::lower_recurrent(const Node& n) {
  const Graph& g = plan_.graph;
  const auto per_token = [&](size_t i) {
    return !n.inputs[i].is_param() && g.type(n.inputs[i]).per_token();
  };
  const auto step = [&](const decltype(RecurrentStep::rule)& rule) {
    const auto state = static_cast<int32_t>(plan_.states.size());
    plan_.states.push_back({.spec = state_of(n.op, g.input_types(n))});
    add_step(node_name(current_)).what = RecurrentStep{state, new_value(n.outputs[0]), rule};
    return true;
  };
  if (n.op.as<CausalConvolution>() != nullptr) {
    if (!per_token(0) || !n.inputs[1].is_param()) return false;
    const float* bias = nullptr;
    if (n.inputs.size() == 3) {
      if (!n.inputs[2].is_param()) return false;
      bias = plan_.weights.floats(n.inputs[2].param);
    }
    return step(RecurrentStep::Convolution{
        read(n.inputs[0]), plan_.weights.floats(n.inputs[1].param), bias, features(n.inputs[0]),
        plan_.weights.param(n.inputs[1].param).cols()});
  }
  const auto* rule = n.op.as<GatedDeltaRule>();
  if (rule == nullptr) return false;
  for (size_t i = 0; i < n.inputs.size(); ++i)
    if (!per_token(i)) return false;
  const Axes k = g.type(n.inputs[1]).axes, v = g.type(n.inputs[2]).axes;
  const GatedDeltaRule::Head head{k[2].size, v[3].size,
                                  features(n.inputs[3]) / features(n.inputs[4])};
  return step(RecurrentStep::DeltaRule{read(n.inputs[0]), read(n.inputs[1]), read(n.inputs[2]),
                                       read(n.inputs[3]), read(n.inputs[4]), k[1].size, v[2].size,
                                       head, rule->scale});
}

}  // namespace ashlar
