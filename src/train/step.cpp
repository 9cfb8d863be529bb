// Steps by the float32 executor.
#include "train/step.h"

#include <algorithm>

#include "base/error.h"
#include "ops/inputs_grad.h"
#include "train/executor.h"

namespace ashlar {
namespace {

class Float32Steps : public StepExecutor {
 public:
  Float32Steps(const Graph& forward, const ParameterArrays& parameters, const StepOptions& options)
      : step_(differentiate(forward, options.differentiate)),
        loss_(loss_of(forward, options.differentiate.losses.loads)),
        options_{.threads = options.threads, .kernels = options.kernels, .float32_sums = true},
        outputs_before_gradients_(step_.outputs().size() - forward.params().size()),
        weights_(weights_of(parameters, forward)),
        backward_(step_, weights_, options_),
        forward_(loss_, weights_, options_) {
    // Gradients on which nothing depends are constants of the graph.
    std::vector<bool> constant(step_.types().size(), false);
    for (const Node& node : step_.nodes()) {
      if (node.op.as<Constant>() != nullptr) constant[static_cast<size_t>(node.outputs[0])] = true;
    }
    for (const Param& p : forward.params())
      trained_.push_back(!constant[static_cast<size_t>(step_.output(gradient_name(p.name)))]);
  }

  StepValues run(const TokenBatch& batch, double weight, ParameterArrays& gradients) override {
    StepValues values;
    std::vector<Array<float>> outputs = backward_.run(batch);
    const size_t others = outputs_before_gradients_;
    for (size_t i = 0; i < others; ++i) values[step_.outputs()[i].name] = outputs[i].values;
    const auto w = static_cast<float>(weight);
    products().each(static_cast<int64_t>(trained_.size()), [&](int64_t i, ProductSpace&) {
      const std::span<float> to = gradients[static_cast<ParamId>(i)];
      const float* from = outputs[others + static_cast<size_t>(i)].values.data();
      for (size_t k = 0; k < to.size(); ++k) to[k] += w * from[k];
    });
    backward_.recycle(std::move(outputs));
    return values;
  }

  StepValues evaluate(const TokenBatch& batch) override {
    StepValues values;
    const std::vector<Array<float>> outputs = forward_.run(batch);
    for (size_t i = 0; i < outputs.size(); ++i) values[loss_.outputs()[i].name] = outputs[i].values;
    return values;
  }

  void give_load(std::span<const float> load) override {
    ASHLAR_ASSERT(load.size() == given_load_.size(), "one load per expert");
    std::copy(load.begin(), load.end(), given_load_.begin());
  }
  const std::vector<bool>& trained() const override { return trained_; }
  Products& products() override { return backward_.products(); }

 private:
  /// The parameters, and the loads that a step may be given.
  Weights weights_of(const ParameterArrays& parameters, const Graph& forward) {
    Weights weights = parameters.tensors(forward.params());
    if (const Param* p = step_.param(kGivenLoad)) {
      std::byte* data = nullptr;
      weights[p->name] = make_tensor(Format::f32, {p->elements()}, &data);
      given_load_ = {reinterpret_cast<float*>(data), static_cast<size_t>(p->elements())};
    }
    return weights;
  }

  const Graph step_, loss_;
  const Float32Options options_;
  const size_t outputs_before_gradients_;
  std::span<float> given_load_;
  const Weights weights_;
  Float32Executor backward_, forward_;
  std::vector<bool> trained_;
};

}  // namespace

std::unique_ptr<StepExecutor> float32_steps(const Graph& forward, const ParameterArrays& parameters,
                                            const StepOptions& options) {
  return std::make_unique<Float32Steps>(forward, parameters, options);
}

}  // namespace ashlar
