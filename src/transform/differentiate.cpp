// The backward pass of a graph, whole or layer by layer with the forward pass recorded again.
#include "ashlar/differentiate.h"

#include <fmt/core.h>

#include "base/error.h"
#include "graph/builder.h"
#include "ops/axes_text.h"
#include "ops/backward.h"
#include "ops/inputs.h"
#include "ops/inputs_grad.h"
#include "ops/kinds.h"
#include "ops/loss.h"

namespace ashlar {
namespace {

/// Nodes [begin, end) of the forward graph: a layer, or what stands between layers.
struct Segment {
  size_t begin = 0, end = 0;
  bool layer = false;
};

std::vector<Segment> segments_of(const Graph& graph) {
  std::vector<Segment> segments;
  std::optional<size_t> current;
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const std::optional<size_t> layer = layer_of(graph.nodes()[i].scope);
    if (segments.empty() || layer != current) segments.push_back({i, i, layer.has_value()});
    segments.back().end = i + 1;
    current = layer;
  }
  return segments;
}

/// Records nodes [begin, end) of `graph`, which read and add to `values`.
void record(Builder& b, const Graph& graph, size_t begin, size_t end, std::string_view prefix,
            std::vector<Value>& values) {
  for (size_t i = begin; i < end; ++i) {
    const Node& node = graph.nodes()[i];
    std::vector<Value> in;
    for (const Input& v : node.inputs) {
      in.push_back(v.from == Input::From::value
                       ? values[static_cast<size_t>(v.id)]
                       : b.param_named(graph.params()[static_cast<size_t>(v.id)].name));
    }
    b.set_scope(prefix.empty() ? node.scope : fmt::format("{}.{}", prefix, node.scope));
    const std::vector<Value> out = b.add(node.op, in, node.label);
    for (size_t k = 0; k < out.size(); ++k) values[static_cast<size_t>(node.outputs[k])] = out[k];
  }
  b.set_scope({});
}

Value token_ids(Builder& b, const Graph& forward, const std::vector<Value>& values) {
  for (const Node& node : forward.nodes()) {
    const auto* op = node.op.as<TokenIds>();
    if (op != nullptr && op->ahead == 0) return values[static_cast<size_t>(node.outputs[0])];
  }
  return b.add1(TokenIds{}, {}, "tokens");
}

}  // namespace

std::string gradient_name(std::string_view parameter) {
  return fmt::format("gradient.{}", parameter);
}

Graph differentiate(const Graph& forward, const DifferentiateOptions& options) {
  if (forward.outputs().size() != 1)
    fail(ErrorKind::invalid, "differentiate: expected a graph with one output, found {}",
         forward.outputs().size());
  const Type& logits = forward.type(forward.output());
  if (logits.kind != Kind::real || !logits.per_token() || logits.axes.size() != 2) {
    fail(ErrorKind::invalid, "differentiate: expected logits [tokens, vocab] as output, found {}",
         to_string(logits));
  }
  Builder b;
  for (const Param& p : forward.params())
    b.param(p.name, p.axes, p.role,
            p.row_axes == 0 ? 0 : static_cast<int64_t>(p.axes.size()) - p.row_axes);
  std::vector<Value> values(forward.types().size());
  const size_t nodes = forward.nodes().size();
  record(b, forward, 0, nodes, {}, values);  // node i of the builder is node i of the graph
  const Value z = values[static_cast<size_t>(forward.output())];
  const Value losses = b.add1(CrossEntropy{}, {z, token_ids(b, forward, values)}, "losses");
  const Value loss = b.add1(ScoredMean{}, {losses}, "loss");

  Backward backward(b);
  b.set_scope(std::string(kBackwardScope));
  backward.add(loss, b.add1(Constant{.value = 1}, {}, "loss"));
  b.set_scope({});
  const auto run = [&](size_t begin, size_t end) {
    backward.run(begin, end, kBackwardScope, kRecomputedScope);
  };
  run(nodes, b.recorded().nodes().size() - 1);
  const std::vector<Segment> segments = segments_of(forward);
  for (size_t s = segments.size(); s-- > 0;) {
    const Segment& segment = segments[s];
    if (!options.recompute_layers || !segment.layer) {
      run(segment.begin, segment.end);
      continue;
    }
    // The layer's nodes again, reading what came into the layer; then their gradients, begun with
    // those of the values that left the layer.
    std::vector<Value> again = values;
    const size_t begin = b.recorded().nodes().size();
    record(b, forward, segment.begin, segment.end, kRecomputedScope, again);
    const size_t end = b.recorded().nodes().size();
    for (size_t i = segment.begin; i < segment.end; ++i) {
      for (const ValueId id : forward.nodes()[i].outputs) {
        const auto at = static_cast<size_t>(id);
        if (const Value d = backward.gradient(values[at]); d.exists()) backward.add(again[at], d);
      }
    }
    run(begin, end);
  }

  std::vector<NamedValue> outputs{{"loss", loss}};
  for (const Param& p : forward.params()) {
    Value d = backward.gradient(b.param_named(p.name));
    if (!d.exists()) {
      b.set_scope(std::string(kBackwardScope));
      d = b.add1(Constant{.axes = text_of(p.axes)}, {}, p.name);
      b.set_scope({});
    }
    outputs.push_back({gradient_name(p.name), d});
  }
  return b.finish(outputs).pruned();
}

}  // namespace ashlar
