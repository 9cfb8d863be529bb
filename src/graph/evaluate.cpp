// Node by node, values freed after their last use.
#include "graph/evaluate.h"

#include <optional>

#include "base/error.h"

namespace ashlar {

template <class F>
std::vector<Array<F>> evaluate_outputs(const Graph& graph, const ParamValues<F>& params,
                                       const TokenBatch& batch, const ValueHook<F>& hook) {
  for (const Node& n : graph.nodes()) {
    if (n.op.composite()) return evaluate_outputs(graph.expanded(), params, batch, hook);
  }
  std::vector<size_t> last_use(graph.types().size(), 0);
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    for (const Input& in : graph.nodes()[i].inputs) {
      if (in.from == Input::From::value) last_use[static_cast<size_t>(in.id)] = i;
    }
  }
  for (const Output& o : graph.outputs())
    last_use[static_cast<size_t>(o.value)] = graph.nodes().size();
  std::vector<Array<F>> values(graph.types().size());
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    In<F> in{batch, {}};
    for (const Input& input : node.inputs) {
      in.arrays.push_back(input.from == Input::From::value
                              ? &values[static_cast<size_t>(input.id)]
                              : &params(graph.params()[static_cast<size_t>(input.id)]));
    }
    Out<F> out(node.outputs.size());
    for (size_t k = 0; k < out.size(); ++k) {
      const Type& type = graph.type(node.outputs[k]);
      for (const Axis& a : type.axes)
        out[k].sizes.push_back(a.size == kTokensSize ? batch.size() : a.size);
      if (type.kind == Kind::real)
        out[k].values.assign(static_cast<size_t>(out[k].elements()), F(0));
      else
        out[k].indices.assign(static_cast<size_t>(out[k].elements()), 0);
    }
    node.op.meaning(in, out);
    if (hook) hook(node, out);
    for (size_t k = 0; k < out.size(); ++k)
      values[static_cast<size_t>(node.outputs[k])] = std::move(out[k]);
    for (const Input& input : node.inputs) {
      if (input.from == Input::From::value && last_use[static_cast<size_t>(input.id)] == i)
        values[static_cast<size_t>(input.id)] = {};
    }
  }
  std::vector<Array<F>> outputs;
  for (const Output& o : graph.outputs()) outputs.push_back(values[static_cast<size_t>(o.value)]);
  return outputs;
}

template <class F>
Array<F> evaluate(const Graph& graph, const ParamValues<F>& params, const TokenBatch& batch,
                  const ValueHook<F>& hook) {
  return std::move(evaluate_outputs(graph, params, batch, hook)[0]);
}

template Array<float> evaluate(const Graph&, const ParamValues<float>&, const TokenBatch&,
                               const ValueHook<float>&);
template Array<double> evaluate(const Graph&, const ParamValues<double>&, const TokenBatch&,
                                const ValueHook<double>&);
template Array<Counted> evaluate(const Graph&, const ParamValues<Counted>&, const TokenBatch&,
                                 const ValueHook<Counted>&);
template std::vector<Array<float>> evaluate_outputs(const Graph&, const ParamValues<float>&,
                                                    const TokenBatch&, const ValueHook<float>&);
template std::vector<Array<double>> evaluate_outputs(const Graph&, const ParamValues<double>&,
                                                     const TokenBatch&, const ValueHook<double>&);
template std::vector<Array<Counted>> evaluate_outputs(const Graph&, const ParamValues<Counted>&,
                                                      const TokenBatch&, const ValueHook<Counted>&);

}  // namespace ashlar
