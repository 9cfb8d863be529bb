// Nodes are recorded one by one, an adapter after each projection.
#include "transform/lora.h"

#include <fmt/format.h>

#include "graph/builder.h"
#include "ops/elementwise.h"
#include "ops/experts.h"
#include "ops/linear.h"

namespace ashlar {
namespace {

class Adapting {
 public:
  Adapting(const Graph& forward, int64_t rank, double alpha, std::vector<LoraPair>& pairs)
      : forward_(forward), rank_(rank), scale_(alpha / static_cast<double>(rank)), pairs_(pairs) {}

  Graph run() {
    IdVector<ValueId, Value> values(forward_.types().size());
    for (const Param& p : forward_.params()) b_.param(p);
    for (const Node& node : forward_.nodes()) {
      const std::vector<Value> in = b_.inputs(forward_, node, values);
      b_.add_node(forward_, node, values);
      adapt(node, in, values[node.outputs[0]]);
    }
    b_.set_scope({});
    std::vector<NamedValue> outputs;
    for (const Output& o : forward_.outputs()) outputs.push_back({o.name, values[o.value]});
    return b_.finish(outputs);
  }

 private:
  void adapt(const Node& node, const std::vector<Value>& in, Value& y) {
    const auto* linear = node.op.as<Linear>();
    const bool experts = node.op.as<ExpertLinear>() != nullptr;
    if (linear == nullptr && !experts) return;
    const Input& weight = node.inputs[experts ? 2 : 1];
    if (!weight.is_param()) return;
    const Param& w = forward_.params()[weight.param];
    if (w.role != (experts ? Role::expert : Role::projection) || !w.place.layer) return;
    const int64_t in_axes = experts ? 1 : linear->in_axes;
    const auto begin = w.axes.begin() + (experts ? 1 : 0), split = w.axes.end() - in_axes;
    const Axis low{"lora", rank_};
    // Of experts, each has its own pair.
    Axes of_a(w.axes.begin(), begin), of_b(w.axes.begin(), split);
    of_a.push_back(low);
    of_a.insert(of_a.end(), split, w.axes.end());
    of_b.push_back(low);
    pairs_.push_back(
        {w.name, w.name + ".lora_a", w.name + ".lora_b", scale_, experts ? w.axes[0].size : 1});
    b_.set_scope({});
    const Value a = b_.param(pairs_.back().a, of_a, w.role, in_axes),
                wide = b_.param(pairs_.back().b, of_b, w.role);
    b_.set_scope(node.scope);
    const std::string label = node.label + "_lora";
    Value z;
    if (experts) {
      z = b_.add1(ExpertLinear{}, {in[0], in[1], a}, label + "_a");
      z = b_.add1(ExpertLinear{}, {z, in[1], wide}, label + "_b");
    } else {
      z = b_.add1(*linear, {in[0], a}, label + "_a");
      z = b_.add1(Linear{}, {z, wide}, label + "_b");
    }
    y = b_.add1(Add{}, {y, b_.add1(Scale{.factor = scale_}, {z})}, node.label + "_adapted");
  }

  const Graph& forward_;
  const int64_t rank_;
  const double scale_;
  std::vector<LoraPair>& pairs_;
  Builder b_;
};

}  // namespace

Graph with_lora(const Graph& forward, int64_t rank, double alpha, std::vector<LoraPair>* pairs) {
  const Graph apart = forward.expanded(ExpertFfn::doc.name);
  return Adapting(apart, rank, alpha, *pairs).run();
}

}  // namespace ashlar
