// Steps by the float32 executor.
#include "train/step.h"

#include <algorithm>

#include "base/error.h"
#include "ops/inputs_grad.h"

namespace ashlar {

StepExecutor::StepExecutor(const Graph& forward, const ParameterArrays& parameters,
                           const StepOptions& options)
    : step_(differentiate(forward, options.differentiate)),
      loss_(loss_of(forward, options.differentiate.losses.loads)),
      options_{.threads = options.threads, .kernels = options.kernels, .numbers = options.numbers},
      outputs_before_gradients_(step_.outputs().size() - forward.params().size()),
      weights_(weights_of(parameters, forward)),
      backward_(step_, weights_, options_),
      forward_(loss_, weights_, options_) {
  // Gradients on which nothing depends are constants of the graph.
  IdVector<ValueId, bool> constant(step_.types().size(), false);
  for (const Node& node : step_.nodes()) {
    if (node.op.as<Constant>() != nullptr) constant[node.outputs[0]] = true;
  }
  for (const Param& p : forward.params())
    trained_.push_back(!constant[step_.output(gradient_name(p.name))]);
}

StepValues StepExecutor::run(const TokenBatch& batch, double weight, ParameterArrays& gradients,
                             bool add) {
  StepValues values;
  std::vector<float*> to;
  for (size_t i = 0; i < outputs_before_gradients_; ++i) {
    std::vector<float>& v = values[step_.outputs()[i].name];
    v.resize(static_cast<size_t>(step_.type(step_.outputs()[i].value).feature_count()));
    to.push_back(v.data());
  }
  for (const ParamId p : trained_.ids()) to.push_back(gradients[p].data());
  backward_.run(batch, to, weight, add);
  return values;
}

StepValues StepExecutor::evaluate(const TokenBatch& batch) {
  StepValues values;
  const std::vector<Array<float>> outputs = forward_.run(batch);
  for (size_t i = 0; i < outputs.size(); ++i) values[loss_.outputs()[i].name] = outputs[i].values;
  return values;
}

void StepExecutor::give_load(std::span<const float> load) {
  ASHLAR_ASSERT(load.size() == given_load_.size(), "one load per expert");
  std::copy(load.begin(), load.end(), given_load_.begin());
}

Weights StepExecutor::weights_of(const ParameterArrays& parameters, const Graph& forward) {
  Weights weights = parameters.tensors(forward.params());
  if (const Param* p = step_.param(kGivenLoad)) {
    std::byte* data = nullptr;
    weights[p->name] = make_tensor(Format::f32, {p->elements()}, &data);
    given_load_ = {reinterpret_cast<float*>(data), static_cast<size_t>(p->elements())};
  }
  return weights;
}

}  // namespace ashlar
