// Readings of a graph that is there already, for those that read one model many times.
#pragma once

#include "ashlar/predict.h"
#include "graph/graph.h"
#include "run/engine.h"

namespace ashlar {

/// Throws Error(invalid) if a row of keys or values is no multiple of the format's blocks.
void check_state(const Graph& graph, Format state);

/// What the engine allocates beside weights and state: its plan is laid out for these formats,
/// without any weights. A state format that no engine keeps counts as float16.
EngineBytes allocation_of(const Graph& graph, const WeightFormats& formats, EngineOptions options);

/// As predict(); `graph` is graph_of(blueprint).
Prediction predict_graph(const Blueprint& blueprint, const Graph& graph, const Machine& machine,
                         const PredictOptions& options);

}  // namespace ashlar
