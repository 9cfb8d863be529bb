// Nodes are recorded one by one, with statistics after those that have any.
#include "transform/watch.h"

#include <fmt/format.h>

#include "graph/builder.h"
#include "ops/elementwise.h"
#include "ops/experts.h"
#include "ops/loss.h"
#include "ops/router_losses.h"
#include "ops/statistics.h"
#include "transform/differentiate.h"

namespace ashlar {
namespace {

/// The scope of an attention: of latent attention's expansion the scope that was expanded.
std::string attention_of(const Node& node) {
  const std::string inner = "." + node.label;
  return node.scope.ends_with(inner) ? node.scope.substr(0, node.scope.size() - inner.size())
                                     : node.scope;
}

bool adds_branch(const Node& node) {
  return node.op.as<Add>() != nullptr && node.place.layer && node.place.part == Part::residual;
}

class Watcher {
 public:
  Watcher(const Graph& graph, Watched what)
      : graph_(graph), what_(what), values_(graph.types().size()) {
    for (const Param& p : graph.params()) b_.param(p);
  }

  Graph run() {
    for (const Node& node : graph_.nodes()) {
      const std::vector<Value> in = b_.inputs(graph_, node, values_);
      watch(node, in, b_.add_node(graph_, node, values_));
    }
    b_.set_scope({});
    if (what_ == Watched::scores) return b_.finish(outputs_).pruned();
    const Value logits = values_[graph_.output()];
    outputs_.push_back(
        {"log_z", b_.add1(ScoredMean{.all = true}, {b_.add1(LogSumExp{}, {logits})})});
    return b_.finish(outputs_).pruned();
  }

 private:
  void put(std::string_view prefix, const std::string& name, Value value) {
    outputs_.push_back({std::string(prefix) + name, value});
  }

  void watch(const Node& node, const std::vector<Value>& in, const std::vector<Value>& out) {
    const bool all = what_ == Watched::all;
    if (all && adds_branch(node)) {
      put(kWatchedResidual, node.name(), b_.add1(MeanSquare{}, {out[0]}));
      put(kWatchedBranch, node.name(), b_.add1(MeanSquare{}, {in[1]}));
    }
    if (const auto* attention = node.op.as<Attention>()) {
      std::vector<Value> read{in[0], in[1]};
      if (in.size() == 4) read.push_back(in[3]);
      const std::vector<Value> statistics = b_.add(ScoreStatistics{*attention}, read);
      put(kWatchedLargest, attention_of(node), statistics[0]);
      if (all) put(kWatchedEntropy, attention_of(node), statistics[1]);
    }
    if (all && node.op.as<Route>() != nullptr) {
      const ExpertLoad load{.experts = in[0].type().axes[1].size};
      put(kWatchedLoad, node.scope, b_.add1(load, {out[1]}));
    }
  }

  const Graph& graph_;
  const Watched what_;
  Builder b_;
  IdVector<ValueId, Value> values_;
  std::vector<NamedValue> outputs_;
};

}  // namespace

Graph watched_gradients(const Graph& forward) {
  DifferentiateOptions options;
  for (const Node& node : forward.nodes()) {
    if (adds_branch(node))
      options.watched.emplace_back(std::string(kWatchedGradient) + node.name(), node.outputs[0]);
  }
  return options.watched.empty() ? Graph() : differentiate(forward, options);
}

Graph watched(const Graph& forward, Watched what) {
  return Watcher(forward.expanded(LatentAttention::doc.name), what).run();
}

}  // namespace ashlar
