// The reference executor: runs a graph node by node with the plain-loop meaning of every op. Slow,
// and right by construction; every fast path is compared with it.
#pragma once

#include <functional>
#include <vector>

#include "graph/graph.h"

namespace ashlar {

/// Values of a parameter, row-major over its axes.
template <class F>
using ParamValues = std::function<const Array<F>&(const Param&)>;

/// Sees every value as it is made.
template <class F>
using ValueHook = std::function<void(const Node&, const std::vector<Array<F>>&)>;

/// The graph's (first) output for the batch, [T, ...]. Composite ops are expanded first. F: float,
/// double, Counted.
template <class F>
Array<F> evaluate(const Graph& graph, const ParamValues<F>& params, const TokenBatch& batch,
                  const ValueHook<F>& hook = {});

/// All outputs of the graph, in its order.
template <class F>
std::vector<Array<F>> evaluate_outputs(const Graph& graph, const ParamValues<F>& params,
                                       const TokenBatch& batch, const ValueHook<F>& hook = {});

extern template Array<float> evaluate(const Graph&, const ParamValues<float>&, const TokenBatch&,
                                      const ValueHook<float>&);
extern template Array<double> evaluate(const Graph&, const ParamValues<double>&, const TokenBatch&,
                                       const ValueHook<double>&);
extern template Array<Counted> evaluate(const Graph&, const ParamValues<Counted>&,
                                        const TokenBatch&, const ValueHook<Counted>&);

extern template std::vector<Array<float>> evaluate_outputs(const Graph&, const ParamValues<float>&,
                                                           const TokenBatch&,
                                                           const ValueHook<float>&);
extern template std::vector<Array<double>> evaluate_outputs(const Graph&,
                                                            const ParamValues<double>&,
                                                            const TokenBatch&,
                                                            const ValueHook<double>&);
extern template std::vector<Array<Counted>> evaluate_outputs(const Graph&,
                                                             const ParamValues<Counted>&,
                                                             const TokenBatch&,
                                                             const ValueHook<Counted>&);

}  // namespace ashlar
