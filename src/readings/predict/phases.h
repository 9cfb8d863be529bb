// The two phases of a prediction: a prompt evaluated in chunks, and one step of decoding.
#pragma once

#include <algorithm>

#include "plan/work.h"
#include "readings/predict/planned_graph.h"
#include "readings/predict/predict.h"

namespace ashlar {

/// A model in some weights on a machine.
struct Subject {
  PlannedGraph& graph;
  const WeightFormats& formats;
  const Machine& machine;
  const PredictOptions& options;
  double weight_bytes;  // of the model

  const PlannedSteps& plan(LatentForm latents) const {
    return graph.plan(formats, engine_options(machine, options), latents);
  }
  BatchLoad load(Workload all, int64_t wanted) const {
    return {.all = std::move(all),
            .wanted = wanted,
            .state = options.state,
            .threads = std::max(1, machine.threads)};
  }
};

/// Latent attention in the form that is faster at the limit (Phase::latents).
Phase predict_prefill(const Subject& subject);
Phase predict_decode(const Subject& subject);

/// Fills in what follows from the seconds of a phase that evaluates `tokens` tokens.
void finish(Speed& speed, int64_t tokens);

}  // namespace ashlar
