// Plans by formats, chunk, kernels and form of latent attention.
#include "readings/predict/planned_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "ops/attention.h"
#include "plan/work.h"
#include "run/state_format.h"

namespace ashlar {

namespace {

/// What tells steps apart: their work for one token and for a prompt, and how attention sees keys.
std::string signature(const Plan& plan, const Step& step) {
  std::string key = group_of(plan, step);
  const auto put = [&](const auto&... values) {
    (fmt::format_to(std::back_inserter(key), " {}", values), ...);
  };
  if (const auto* a = std::get_if<AttentionStep>(&step.what))
    put(a->kv_heads, a->op.window, a->op.chunk, a->op.softcap, a->op.log_length, a->op.scale);
  for (const BatchLoad& load : {BatchLoad{.all = Workload::decode(1)},
                                BatchLoad{.all = Workload::prefill(101), .wanted = 101}}) {
    const StepWork work = work_of(plan, step, load);
    put(static_cast<int>(step.rows), work.tasks, work.activation_bytes);
    for (const Work& w : work.parts) {
      put(static_cast<int>(plan.graph.nodes()[w.node].place.part), static_cast<int>(w.what),
          w.operations, w.weight_bytes, w.state_bytes, static_cast<int>(w.format), w.cols, w.group,
          w.k_dim, w.v_dim, w.packed, static_cast<int>(w.kernel), w.numbers);
    }
  }
  return key;
}

std::vector<EqualSteps> equal_steps(const Plan& plan) {
  std::vector<EqualSteps> all;
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const auto [it, made] = places.emplace(signature(plan, plan.steps[i]), all.size());
    if (made)
      all.push_back({.first = i});
    else
      ++all[it->second].count;
  }
  return all;
}

}  // namespace

PlannedGraph::PlannedGraph(Graph graph) : graph_(std::move(graph)) {
  latents_ = std::any_of(graph_.nodes().begin(), graph_.nodes().end(),
                         [](const Node& n) { return n.op.as<LatentAttention>() != nullptr; });
}

const PlannedSteps& PlannedGraph::plan(const WeightFormats& formats, const EngineOptions& options,
                                       LatentForm latents) {
  std::vector<Format> of_params;
  for (const Param& p : graph_.params()) of_params.push_back(formats(p));
  auto& planned = plans_[{std::move(of_params), options.chunk, options.kernels, latents,
                          options.packed_weights}];
  if (!planned) {
    Plan plan =
        make_plan(graph_, weightless(graph_, formats), kernels::table(options.kernels),
                  options.chunk, {.latents = latents, .packed_weights = options.packed_weights});
    std::vector<EqualSteps> steps = equal_steps(plan);
    planned = std::make_unique<const PlannedSteps>(PlannedSteps{std::move(plan), std::move(steps)});
  }
  return *planned;
}

EngineOptions engine_options(const Machine& machine, const PredictOptions& options) {
  const bool kept = is_state_format(options.state);
  return {.threads = machine.threads,
          .context = options.context,
          .sequences = options.sequences,
          .chunk = std::min(options.chunk, options.context * options.sequences),
          .packed_weights = options.packed_weights,
          .state = kept ? options.state : Format::f16};
}

}  // namespace ashlar
