// The backward pass of a graph, whole or layer by layer with the forward pass recorded again.
#include "transform/differentiate.h"

#include <fmt/core.h>

#include <set>

#include "base/error.h"
#include "graph/builder.h"
#include "ops/axes_text.h"
#include "ops/backward.h"
#include "ops/elementwise.h"
#include "ops/experts.h"
#include "ops/inputs.h"
#include "ops/inputs_grad.h"
#include "ops/loss.h"
#include "ops/router_losses.h"
#include "ops/statistics.h"

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
    const std::optional<size_t> layer = graph.nodes()[NodeId(i)].place.layer;
    if (segments.empty() || layer != current) segments.push_back({i, i, layer.has_value()});
    segments.back().end = i + 1;
    current = layer;
  }
  return segments;
}

/// Records nodes [begin, end) of `graph`, which read and add to `values`.
void record(Builder& b, const Graph& graph, size_t begin, size_t end, std::string_view prefix,
            IdVector<ValueId, Value>& values) {
  for (size_t i = begin; i < end; ++i) b.add_node(graph, graph.nodes()[NodeId(i)], values, prefix);
  b.set_scope({});
}

Value token_ids(Builder& b, const Graph& forward, const IdVector<ValueId, Value>& values) {
  for (const Node& node : forward.nodes()) {
    const auto* op = node.op.as<TokenIds>();
    if (op != nullptr && op->ahead == 0) return values[node.outputs[0]];
  }
  return b.add1(TokenIds{}, {}, "tokens");
}

/// The forward graph, node for node, and its loss after it.
struct Recorded {
  IdVector<ValueId, Value> values;  // of the forward graph
  std::vector<NamedValue> outputs;
  std::vector<std::pair<Value, double>> weighted;  // losses
};

/// The routers' part: losses of all routers together, and their loads.
void record_routers(Builder& b, const Graph& forward, const AuxiliaryLosses& losses, Recorded& to) {
  struct Router {
    Value logits, chosen;
    bool sigmoid = false;
    std::string scope;
  };
  std::vector<Router> routers;
  for (const Node& node : forward.nodes()) {
    const auto* route = node.op.as<Route>();
    if (route == nullptr || !node.inputs[0].is_value()) continue;
    routers.push_back({to.values[node.inputs[0].value], to.values[node.outputs[1]],
                       route->score == RouteScore::sigmoid, node.scope});
  }
  if (routers.empty()) return;
  const double share = 1 / static_cast<double>(routers.size());
  std::vector<Value> z, balance;
  // The mean of what the layers say.
  const auto mean = [&](const std::vector<Value>& of, std::string_view label) {
    Value sum = of[0];
    for (size_t i = 1; i < of.size(); ++i) sum = b.add1(Add{}, {sum, of[i]});
    return b.add1(Scale{.factor = share}, {sum}, label);
  };
  std::vector<Value> loads;
  const auto load_of = [&](const Router& r) {
    return b.add1(ExpertLoad{.experts = r.logits.type().axes[1].size}, {r.chosen}, "load");
  };
  const bool of_batch = losses.balance != 0 && losses.over == AuxiliaryLosses::Over::batch;
  if (losses.loads || of_batch) {
    for (const Router& r : routers) {
      b.set_scope(r.scope);
      loads.push_back(load_of(r));
      if (losses.loads) to.outputs.push_back({"load." + r.scope, loads.back()});
    }
    b.set_scope({});
  }
  if (losses.router_z != 0) {
    for (const Router& r : routers) {
      const Value y = b.add1(LogSumExp{}, {r.logits});
      z.push_back(b.add1(ScoredMean{.all = true}, {b.add1(Multiply{}, {y, y})}));
    }
    const Value loss = mean(z, "router_z_loss");
    to.outputs.push_back({"router_z_loss", loss});
    to.weighted.emplace_back(loss, losses.router_z);
  }
  if (losses.balance == 0) return;
  const Axis experts = routers[0].logits.type().axes[1];
  for (const Router& r : routers) {
    if (r.logits.type().axes[1] != experts)
      fail(ErrorKind::unsupported, "balance loss: layers with different numbers of experts");
  }
  Value load;
  if (of_batch) load = mean(loads, "load");
  if (losses.over == AuxiliaryLosses::Over::given)
    load = b.param(kGivenLoad, {experts}, Role::bias, 0);
  for (const Router& r : routers) {
    balance.push_back(load.exists() ? b.add1(RouterBalance{r.sigmoid}, {r.logits, load})
                                    : b.add1(SequenceBalance{r.sigmoid}, {r.logits, r.chosen}));
  }
  const Value loss = mean(balance, "balance_loss");
  to.outputs.push_back({"balance_loss", loss});
  to.weighted.emplace_back(loss, losses.balance);
}

Recorded record_loss(Builder& b, const Graph& forward, const AuxiliaryLosses& auxiliary) {
  const std::vector<Output>& outputs = forward.outputs();
  const bool mtp = outputs.size() == 2 && outputs[1].name == kMtpLogits;
  if (outputs.size() != 1 && !mtp)
    fail(ErrorKind::invalid, "differentiate: expected a graph with one output, found {}",
         outputs.size());
  if (auxiliary.mtp != 0 && !mtp)
    fail(ErrorKind::invalid, "differentiate: the graph does not predict the token after the next");
  const Type& logits = forward.type(forward.output());
  if (logits.kind != Kind::real || !logits.per_token() || logits.axes.size() != 2) {
    fail(ErrorKind::invalid, "differentiate: expected logits [tokens, vocab] as output, found {}",
         to_string(logits));
  }
  for (const Param& p : forward.params()) b.param(p);
  Recorded recorded;
  recorded.values.resize(forward.types().size());
  record(b, forward, 0, forward.nodes().size(), {}, recorded.values);
  const auto value = [&](const Output& o) { return recorded.values[o.value]; };
  const Value z = value(outputs[0]), ids = token_ids(b, forward, recorded.values);
  const Value losses = b.add1(CrossEntropy{}, {z, ids}, "losses");
  const Value loss = b.add1(ScoredMean{}, {losses}, "loss");
  recorded.outputs.push_back({"loss", loss});
  recorded.weighted.emplace_back(loss, 1);
  if (auxiliary.z != 0) {
    const Value y = b.add1(LogSumExp{}, {z}, "log_z");
    const Value mean = b.add1(ScoredMean{}, {b.add1(Multiply{}, {y, y})}, "z_loss");
    recorded.outputs.push_back({"z_loss", mean});
    recorded.weighted.emplace_back(mean, auxiliary.z);
  }
  if (auxiliary.mtp != 0) {
    const Value of = b.add1(CrossEntropy{.ahead = 2}, {value(outputs[1]), ids}, "mtp_losses");
    const Value mean = b.add1(ScoredMean{.ahead = 2}, {of}, "mtp_loss");
    recorded.outputs.push_back({"mtp_loss", mean});
    recorded.weighted.emplace_back(mean, auxiliary.mtp);
  }
  record_routers(b, forward, auxiliary, recorded);
  return recorded;
}

}  // namespace

std::string gradient_name(std::string_view parameter) {
  return fmt::format("gradient.{}", parameter);
}

Graph loss_of(const Graph& forward, bool loads) {
  Builder b;
  const AuxiliaryLosses losses{.loads = loads};
  return b.finish(record_loss(b, forward, losses).outputs).pruned();
}

Graph differentiate(const Graph& forward, const DifferentiateOptions& options) {
  Builder b;
  const Recorded recorded = record_loss(b, forward, options.losses);
  const IdVector<ValueId, Value>& values = recorded.values;
  const size_t nodes = forward.nodes().size(), end_of_losses = b.recorded().nodes().size();

  Backward backward(b);
  b.set_scope(std::string(kBackwardScope));
  for (const auto& [loss, weight] : recorded.weighted)
    backward.add(loss, b.add1(Constant{.value = weight}, {}, "loss"));
  b.set_scope({});
  const auto run = [&](size_t begin, size_t end) {
    backward.run(begin, end, kBackwardScope, kRecomputedScope);
  };
  run(nodes, end_of_losses);
  const std::vector<Segment> segments = segments_of(forward);
  for (size_t s = segments.size(); s-- > 0;) {
    const Segment& segment = segments[s];
    if (!options.recompute_layers || !segment.layer) {
      run(segment.begin, segment.end);
      continue;
    }
    // The layer's nodes again, reading what came into the layer; then their gradients, begun with
    // those of the values that left the layer.
    IdVector<ValueId, Value> again = values;
    const size_t begin = b.recorded().nodes().size();
    record(b, forward, segment.begin, segment.end, kRecomputedScope, again);
    const size_t end = b.recorded().nodes().size();
    for (size_t i = segment.begin; i < segment.end; ++i) {
      for (const ValueId id : forward.nodes()[NodeId(i)].outputs) {
        if (const Value d = backward.gradient(values[id]); d.exists()) backward.add(again[id], d);
      }
    }
    run(begin, end);
  }

  if (!options.watched.empty()) {
    std::vector<NamedValue> found;
    for (const auto& [name, id] : options.watched) {
      const Value d = backward.gradient(values[id]);
      if (d.exists()) found.push_back({name, b.add1(MeanSquare{}, {d})});
    }
    return b.finish(found).pruned();
  }
  std::vector<NamedValue> outputs = recorded.outputs;
  const std::set<std::string> frozen(options.frozen.begin(), options.frozen.end());
  for (const Param& p : forward.params()) {
    Value d = backward.gradient(b.param_named(p.name));
    if (!d.exists() || frozen.contains(p.name)) {
      b.set_scope(std::string(kBackwardScope));
      d = b.add1(Constant{.axes = text_of(p.axes)}, {}, p.name);
      b.set_scope({});
    }
    outputs.push_back({gradient_name(p.name), d});
  }
  return b.finish(outputs).pruned();
}

}  // namespace ashlar
