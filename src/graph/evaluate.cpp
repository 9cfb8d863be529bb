// Node by node, values freed after their last use.
#include "graph/evaluate.h"

#include "base/error.h"

namespace ashlar {

template <class F>
std::vector<Array<F>> evaluate_outputs(const Graph& graph, const ParamValues<F>& params,
                                       const TokenBatch& batch, const ValueHook<F>& hook) {
  for (const Node& n : graph.nodes()) {
    if (n.op.composite()) return evaluate_outputs(graph.expanded(), params, batch, hook);
  }
  IdVector<ValueId, NodeId> last_use(graph.types().size());
  for (const NodeId n : graph.nodes().ids()) {
    for (const Input& in : graph.nodes()[n].inputs) {
      if (in.is_value()) last_use[in.value] = n;
    }
  }
  for (const Output& o : graph.outputs()) last_use[o.value] = NodeId(graph.nodes().size());
  IdVector<ValueId, Array<F>> values(graph.types().size());
  for (const NodeId n : graph.nodes().ids()) {
    const Node& node = graph.nodes()[n];
    In<F> in{batch, {}};
    for (const Input& input : node.inputs) {
      in.arrays.push_back(input.is_value() ? &values[input.value]
                                           : &params(graph.params()[input.param]));
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
    for (size_t k = 0; k < out.size(); ++k) values[node.outputs[k]] = std::move(out[k]);
    for (const Input& input : node.inputs) {
      if (input.is_value() && last_use[input.value] == n) values[input.value] = {};
    }
  }
  std::vector<Array<F>> outputs;
  for (const Output& o : graph.outputs()) outputs.push_back(values[o.value]);
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
