// Two executors side by side over the same rows.
#include "lab/router_drift.h"

#include <algorithm>
#include <map>
#include <span>
#include <vector>

#include "formats/safetensors.h"
#include "graph/builder.h"
#include "lab/score.h"
#include "ops/experts.h"
#include "ops/kinds.h"
#include "train/checkpoint.h"
#include "train/executor.h"

namespace ashlar::lab {
namespace {

namespace fs = std::filesystem;

/// The forward graph with nothing but the choices of its routers: an output per router, [tokens,
/// chosen], named by its scope.
Graph choices_graph(const Graph& forward) {
  const Graph graph = forward.expanded();
  Builder b;
  for (const Param& p : graph.params()) b.param(p);
  IdVector<ValueId, Value> values(graph.types().size());
  std::vector<NamedValue> outputs;
  for (const Node& node : graph.nodes()) {
    const std::vector<Value> out = b.add_node(graph, node, values);
    // A layer that is trained beside the model is none of it.
    if (node.op.as<Route>() != nullptr && kind_of(node) != "mtp")
      outputs.push_back({node.scope, out[1]});
  }
  b.set_scope({});
  return outputs.empty() ? Graph() : b.finish(outputs).pruned();
}

}  // namespace

Json router_drift(const Graph& model, const fs::path& checkpoints, const TokenRows& rows,
                  int64_t count, int64_t at_once) {
  const std::vector<fs::path> kept = checkpoints_in(checkpoints);
  const Graph graph = choices_graph(model);
  if (kept.size() < 2 || graph.outputs().empty()) return {};
  const Float32Options options{.threads = 1, .numbers = Numbers::f32};
  Float32Executor before(graph, checkpoint_weights(kept.back(), graph.params()), options);
  Float32Executor after(graph, checkpoint_weights(kept.front(), graph.params()), options);
  struct Count {
    int64_t changed = 0, all = 0;
  };
  std::map<std::string, Count> counts;
  for (int64_t at = 0; at < count; at += at_once) {
    std::vector<int64_t> wanted;
    for (int64_t i = at; i < std::min(count, at + at_once); ++i) wanted.push_back(i);
    const TokenBatch batch = batch_of_rows(rows, wanted);
    const std::vector<Array<float>> old = before.run(batch), now = after.run(batch);
    for (size_t r = 0; r < now.size(); ++r) {
      Count& c = counts[graph.outputs()[r].name];
      const auto chosen = static_cast<size_t>(now[r].sizes[1]);
      for (size_t i = 0; i < now[r].indices.size(); ++i) {
        const auto of_token = std::span(old[r].indices).subspan(i - i % chosen, chosen);
        c.changed +=
            std::find(of_token.begin(), of_token.end(), now[r].indices[i]) == of_token.end() ? 1
                                                                                             : 0;
        ++c.all;
      }
    }
  }
  Json changed = Json::object();
  for (const auto& [router, c] : counts)
    changed[router] = static_cast<double>(c.changed) / static_cast<double>(c.all);
  return {{"from", step_of(kept.back())}, {"to", step_of(kept.front())}, {"changed", changed}};
}

}  // namespace ashlar::lab
