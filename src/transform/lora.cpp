// Nodes are recorded one by one, an adapter after each projection.
#include "transform/lora.h"

#include <fmt/format.h>

#include "graph/builder.h"
#include "ops/elementwise.h"
#include "ops/kinds.h"
#include "ops/linear.h"

namespace ashlar {

Graph with_lora(const Graph& forward, int64_t rank, double alpha, std::vector<LoraPair>* pairs) {
  Builder b;
  IdVector<ValueId, Value> values(forward.types().size());
  for (const Param& p : forward.params()) b.param(p);
  const Axis low{"lora", rank};
  for (const Node& node : forward.nodes()) {
    const std::vector<Value> in = b.inputs(forward, node, values);
    b.set_scope(node.scope);
    std::vector<Value> out = b.add(node.op, in, node.label);
    const auto* linear = node.op.as<Linear>();
    if (linear != nullptr && node.inputs[1].is_param()) {
      const Param& w = forward.params()[node.inputs[1].param];
      if (w.role == Role::projection && layer_of(w.name)) {
        const auto split = w.axes.end() - static_cast<std::ptrdiff_t>(linear->in_axes);
        Axes of_a{low}, of_b(w.axes.begin(), split);
        of_a.insert(of_a.end(), split, w.axes.end());
        of_b.push_back(low);
        const LoraPair pair{w.name, w.name + ".lora_a", w.name + ".lora_b",
                            alpha / static_cast<double>(rank)};
        b.set_scope({});
        const Value a = b.param(pair.a, of_a, Role::projection, linear->in_axes),
                    wide = b.param(pair.b, of_b, Role::projection);
        b.set_scope(node.scope);
        const Value z = b.add1(*linear, {in[0], a}, node.label + "_lora_a");
        const Value y = b.add1(Linear{}, {z, wide}, node.label + "_lora_b");
        out[0] = b.add1(Add{}, {out[0], b.add1(Scale{.factor = pair.scale}, {y})},
                        node.label + "_adapted");
        pairs->push_back(pair);
      }
    }
    for (size_t k = 0; k < out.size(); ++k) values[node.outputs[k]] = out[k];
  }
  b.set_scope({});
  std::vector<NamedValue> outputs;
  for (const Output& o : forward.outputs()) outputs.push_back({o.name, values[o.value]});
  return b.finish(outputs);
}

}  // namespace ashlar
