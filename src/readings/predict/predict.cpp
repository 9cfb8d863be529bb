// Predictions: the work of a step on a machine, at its limit and with today's kernels; memory.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ashlar/predict.h"
#include "base/error.h"
#include "base/units.h"
#include "ops/kinds.h"
#include "ops/state.h"
#include "readings/predict/planned_graph.h"
#include "readings/predict/work_seconds.h"

namespace ashlar {
namespace {

constexpr int64_t kLongestContext = 10 * 1024 * 1024;
constexpr int64_t kMostSequences = 1 << 16;

void check_range(int64_t value, int64_t least, int64_t most, std::string_view name) {
  if (value < least || value > most)
    fail(ErrorKind::invalid, "{}: expected {} to {}, found {}", name, least, most, value);
}

void add_speed(Speed& s, double seconds, double by_bandwidth, double by_compute) {
  s.seconds += seconds;
  (by_bandwidth >= by_compute ? s.bandwidth_seconds : s.compute_seconds) += seconds;
}

/// Adds a step that is done `times` times.
void add_step(Phase& phase, const Plan& plan, const Step& step, const StepWork& work, double times,
              const WorkSeconds& seconds) {
  const bool today = seconds.knows_today();
  const double step_limit = times * seconds.of_step_at_limit();
  const double step_today = today ? times * seconds.of_step_today() : 0;
  const auto kind_of_node = [&](int32_t node) {
    return std::string(kind_of(plan.graph.nodes()[static_cast<size_t>(node)]));
  };
  PhaseShare& by_part = phase.by_part[group_of(plan, step)];
  for (PhaseShare* share : {&phase.by_kind[kind_of_node(step.nodes.front())], &by_part}) {
    share->activation_bytes += times * static_cast<double>(work.activation_bytes);
    share->steps += times;
    share->limit_seconds += step_limit;
    share->today_seconds += step_today;
  }
  for (const Work& w : work.parts) {
    const double limit = times * seconds.at_limit(w);
    const double now = today ? times * seconds.today(w, work.tasks) : 0;
    for (PhaseShare* share : {&phase.by_kind[kind_of_node(w.node)], &by_part}) {
      share->weight_bytes += times * w.weight_bytes;
      share->state_bytes += times * static_cast<double>(w.state_bytes);
      share->operations += times * static_cast<double>(w.operations);
      share->limit_seconds += limit;
      share->today_seconds += now;
    }
    add_speed(phase.limit, limit, seconds.of_bandwidth(w), seconds.of_compute(w));
    if (today) add_speed(*phase.today, now, seconds.of_bandwidth(w), seconds.of_compute(w));
  }
  phase.limit.seconds += step_limit;
  phase.limit.step_seconds += step_limit;
  if (!today) return;
  phase.today->seconds += step_today;
  phase.today->step_seconds += step_today;
}

/// Adds those steps of a batch that `which` takes, `times` times.
template <class Which>
void add_batch(Phase& phase, const PlannedSteps& planned, const BatchLoad& load, double times,
               const WorkSeconds& seconds, Which which) {
  if (seconds.knows_today() && !phase.today) phase.today.emplace();
  for (const EqualSteps& equal : planned.steps) {
    const Step& step = planned.plan.steps[equal.first];
    if (!which(step)) continue;
    const StepWork work = work_of(planned.plan, step, load);
    if (work.tasks == 0) continue;
    add_step(phase, planned.plan, step, work, times * static_cast<double>(equal.count), seconds);
  }
}

bool any_step(const Step&) { return true; }
bool attends(const Step& step) { return std::holds_alternative<AttentionStep>(step.what); }

void finish(Speed& s, int64_t tokens) {
  s.tokens_per_second = s.seconds > 0 ? static_cast<double>(tokens) / s.seconds : 0;
  s.bound_by = s.step_seconds > std::max(s.bandwidth_seconds, s.compute_seconds) ? "steps"
               : s.bandwidth_seconds >= s.compute_seconds                        ? "bandwidth"
                                                                                 : "compute";
}

void finish(Phase& phase) {
  for (const auto& [kind, s] : phase.by_kind) {
    phase.weight_bytes += s.weight_bytes;
    phase.state_bytes += s.state_bytes;
    phase.activation_bytes += s.activation_bytes;
    phase.operations += s.operations;
    phase.steps += s.steps;
  }
  finish(phase.limit, phase.tokens);
  if (phase.today) finish(*phase.today, phase.tokens);
}

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

Phase predict_prefill(const Subject& m, LatentForm latents) {
  Phase phase{.tokens = m.options.prompt, .sequences = 1};
  const PlannedSteps& planned = m.plan(latents);
  const WorkSeconds seconds(m.machine, m.weight_bytes);
  const int64_t chunk = m.options.chunk;
  const int64_t before = (m.options.prompt - 1) / chunk;  // chunks before the last
  // Chunks are alike but for the keys that they see.
  if (before > 0) {
    add_batch(phase, planned, m.load(Workload::prefill(chunk, m.options.depth), 0),
              static_cast<double>(before), seconds, [](const Step& s) { return !attends(s); });
  }
  for (int64_t i = 0; i < before; ++i) {
    add_batch(phase, planned, m.load(Workload::prefill(chunk, m.options.depth + i * chunk), 0), 1,
              seconds, attends);
  }
  const int64_t at = before * chunk;
  add_batch(phase, planned,
            m.load(Workload::prefill(m.options.prompt - at, m.options.depth + at), 1), 1, seconds,
            any_step);
  finish(phase);
  return phase;
}

Phase predict_decode(const Subject& m, LatentForm latents) {
  const int64_t n = m.options.sequences;
  Phase phase{.tokens = n, .sequences = n};
  const int64_t from = m.options.decode_from.value_or(m.options.depth + m.options.prompt);
  const int64_t depth = from + m.options.generate / 2;
  add_batch(phase, m.plan(latents), m.load(Workload::decode(depth, n), n), 1,
            WorkSeconds(m.machine, m.weight_bytes), any_step);
  finish(phase);
  return phase;
}

/// The engine plans latent attention absorbed, and today's speed is that of this plan. The limit is
/// that of the expanded plan where it is the faster one.
template <class F>
Phase predict_either(const Subject& m, F predict_phase) {
  Phase phase = predict_phase(m, LatentForm::absorbed);
  if (!m.graph.has_latents()) return phase;
  phase.latents = "absorbed";
  Phase expanded = predict_phase(m, LatentForm::expanded);
  if (expanded.limit.seconds >= phase.limit.seconds) return phase;
  expanded.latents = "expanded";
  expanded.today = phase.today;
  const auto keep_today = [](auto& shares, const auto& absorbed) {
    for (auto& [name, share] : shares) share.today_seconds = 0;
    for (const auto& [name, share] : absorbed) shares[name].today_seconds = share.today_seconds;
  };
  keep_today(expanded.by_kind, phase.by_kind);
  keep_today(expanded.by_part, phase.by_part);
  return expanded;
}

int64_t bytes_of(const Graph& graph, const WeightFormats& formats) {
  int64_t bytes = 0;
  for (const Param& p : graph.params()) bytes += p.rows() * row_bytes(formats(p), p.cols());
  return bytes;
}

/// Largest n in [0, most] for which `fits(n)`; fits is monotonous.
template <class F>
int64_t largest(int64_t most, F fits) {
  int64_t low = 0, high = most;
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    if (fits(middle))
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

/// What the state of some sequences takes, without walking the graph each time.
class StateBytes {
 public:
  StateBytes(const Graph& graph, const PredictOptions& o) : options_(o) {
    for (const NodeState& n : states_of(graph)) {
      const auto same = std::find_if(specs_.begin(), specs_.end(),
                                     [&](const auto& s) { return s.first == n.spec; });
      if (same == specs_.end())
        specs_.emplace_back(n.spec, 1);
      else
        ++same->second;
    }
  }
  double operator()(int64_t context, int64_t sequences) const {
    double bytes = 0;
    for (const auto& [spec, count] : specs_) {
      const StateRoom one{context, options_.chunk};
      bytes += static_cast<double>(allocated_state_bytes(spec, options_.state, one)) *
               static_cast<double>(count) * static_cast<double>(sequences);
    }
    return bytes;
  }

 private:
  const PredictOptions& options_;
  std::vector<std::pair<StateSpec, int64_t>> specs_;  // how many nodes have each
};

constexpr const char* kAlternatives[] = {"bf16",   "q8_0",   "q6_k", "q5_k_m",
                                         "q4_k_m", "q3_k_m", "q2_k"};
/// More bits than this change nothing that is measured, and are read twice as slowly.
constexpr const char* kEnough = "q8_0";

void predict_alternatives(const Blueprint& bp, PlannedGraph& planned, double others,
                          const StateBytes& state, Prediction& p) {
  for (const char* name : kAlternatives) {
    PredictOptions options = p.options;
    options.weights = name;
    options.formats = weight_formats(name, bp);
    Alternative a{.weights = name, .bytes = bytes_of(planned.graph(), options.formats)};
    const double room = static_cast<double>(p.memory.available - a.bytes) - others;
    a.largest_context =
        largest(kLongestContext, [&](int64_t n) { return state(n, options.sequences) <= room; });
    a.fits = a.largest_context >= options.context;
    const Subject m{planned, options.formats, p.machine, options, static_cast<double>(a.bytes)};
    const Phase prefill = predict_either(m, predict_prefill);
    const Phase decode = predict_either(m, predict_decode);
    a.prefill_limit = prefill.limit.tokens_per_second;
    a.decode_limit = decode.limit.tokens_per_second;
    if (prefill.today) a.prefill_today = prefill.today->tokens_per_second;
    if (decode.today) a.decode_today = decode.today->tokens_per_second;
    p.alternatives.push_back(a);
  }
  const auto enough = std::find_if(p.alternatives.begin(), p.alternatives.end(),
                                   [](const Alternative& a) { return a.weights == kEnough; });
  const auto best =
      std::find_if(enough, p.alternatives.end(), [](const Alternative& a) { return a.fits; });
  if (best == p.alternatives.end()) {
    p.suggestion_reason =
        fmt::format("no mix fits {} sequence(s) of {} tokens in {}", p.options.sequences,
                    p.options.context, short_bytes(static_cast<double>(p.memory.available)));
    return;
  }
  p.suggestion = best->weights;
  p.suggestion_reason =
      best == enough ? fmt::format("{} leave room for {} tokens; more bits would only be slower",
                                   short_bytes(static_cast<double>(best->bytes)),
                                   grouped(best->largest_context))
                     : fmt::format("the most bits that fit: {} and room for {} tokens",
                                   short_bytes(static_cast<double>(best->bytes)),
                                   grouped(best->largest_context));
}

}  // namespace

Prediction predict(const Blueprint& bp, const Machine& machine, const PredictOptions& options) {
  PlannedGraph planned(graph_of(bp));
  return predict_graph(bp, planned, machine, options);
}

Prediction predict_graph(const Blueprint& bp, PlannedGraph& planned, const Machine& machine,
                         const PredictOptions& options) {
  check_range(options.context, 1, kLongestContext, "context");
  check_range(options.sequences, 1, kMostSequences, "sequences");
  check_range(options.prompt, 1, kLongestContext, "prompt");
  check_range(options.depth, 0, kLongestContext, "depth");
  check_range(options.generate, 0, kLongestContext, "generate");
  check_range(options.chunk, 1, 1 << 20, "chunk");
  Prediction p;
  p.model = bp.name;
  p.machine = machine;
  p.options = options;
  p.model_context = bp.context;
  const Graph& graph = planned.graph();
  check_state(graph, options.state);
  if (!p.options.formats) p.options.formats = weight_formats(options.weights, bp);
  const EngineOptions engine_opts = engine_options(machine, options);
  const EngineBytes engine = engine_bytes(
      planned.plan(p.options.formats, engine_opts, LatentForm::absorbed).plan, engine_opts);
  const StateBytes state(graph, p.options);
  p.memory.weights = bytes_of(graph, p.options.formats);
  p.memory.state = allocated_state_bytes(graph, options.state, options.context, options.chunk,
                                         options.sequences);
  p.memory.activations = engine.activations;
  p.memory.copies = engine.copies;
  p.memory.total = p.memory.weights + p.memory.copies + p.memory.state + p.memory.activations;
  p.memory.available = static_cast<int64_t>(machine.memory_bytes);
  p.memory.fits = p.memory.total <= p.memory.available;
  const double others = static_cast<double>(p.memory.activations + p.memory.copies);
  const double room = static_cast<double>(p.memory.available - p.memory.weights) - others;
  p.largest_context =
      largest(kLongestContext, [&](int64_t n) { return state(n, options.sequences) <= room; });
  p.largest_sequences =
      largest(kMostSequences, [&](int64_t n) { return state(options.context, n) <= room; });
  if (room < 0) p.largest_context = p.largest_sequences = 0;

  const Subject m{planned, p.options.formats, machine, p.options,
                  static_cast<double>(p.memory.weights)};
  p.prefill = predict_either(m, predict_prefill);
  p.decode = predict_either(m, predict_decode);
  // The first token is there when the prompt has been evaluated.
  p.first_token_limit = p.prefill.limit.seconds;
  p.first_token_today = p.prefill.today ? p.prefill.today->seconds : 0;
  if (options.alternatives) predict_alternatives(bp, planned, others, state, p);
  return p;
}

}  // namespace ashlar
