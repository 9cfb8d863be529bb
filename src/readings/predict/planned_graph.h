// A graph and the engine's plans of it without any weights, for those that read one model many
// times.
#pragma once

#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "graph/graph.h"
#include "readings/predict/predict.h"
#include "run/engine.h"

namespace ashlar {

/// Steps that take the same whatever the batch, mostly those of equal layers.
struct EqualSteps {
  size_t first = 0;   // of them, in the plan
  int64_t count = 1;  // of them
};

/// A plan without any weights.
struct PlannedSteps {
  Plan plan;
  std::vector<EqualSteps> steps;  // all of the plan's
};

class PlannedGraph {
 public:
  explicit PlannedGraph(Graph graph);

  const Graph& graph() const { return graph_; }
  bool has_latents() const { return latents_; }  // any latent attention

  /// The plan that an engine of these options would make, kept for the next time; valid as long as
  /// this.
  const PlannedSteps& plan(const WeightFormats& formats, const EngineOptions& options,
                           LatentForm latents);
  size_t plans() const { return plans_.size(); }  // made so far

 private:
  using Key = std::tuple<std::vector<Format>, int64_t, std::string, LatentForm, bool>;
  Graph graph_;
  bool latents_ = false;
  std::map<Key, std::unique_ptr<const PlannedSteps>> plans_;
};

/// Throws Error(invalid) if a row of keys or values is no multiple of the format's blocks.
void check_state(const Graph& graph, Format state);

/// Of the engine that predictions are about. A state format that no engine keeps counts as float16.
EngineOptions engine_options(const Machine& machine, const PredictOptions& options);

/// As predict().
Prediction predict_graph(const Blueprint& blueprint, PlannedGraph& graph, const Machine& machine,
                         const PredictOptions& options);

}  // namespace ashlar
