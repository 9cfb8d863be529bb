// Predictions: the work of a step on a machine, at its limit and with today's kernels; memory.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ashlar/predict.h"
#include "base/error.h"
#include "base/units.h"
#include "ops/state.h"
#include "readings/predict/clock.h"
#include "readings/predict/prepared.h"
#include "readings/predict/work.h"

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

/// What a step is, as a profile of the engine groups them.
std::string part_of(const Work& w) {
  switch (w.what) {
    case Work::What::product:
      return std::string(w.kind) + " products";
    case Work::What::experts:
      return "experts";
    case Work::What::attention:
      return "attention scores";
    default:
      return "rows";
  }
}

void add_work(Phase& phase, const std::vector<Work>& work, const Clock& clock) {
  for (const Work& w : work) {
    const double step = w.begins_step ? clock.step_seconds() : 0;
    const double limit = clock.limit_seconds(w);
    const double today = clock.knows_today() ? clock.today_seconds(w) : 0;
    const double today_step = w.begins_step && clock.knows_today() ? clock.today_step_seconds() : 0;
    for (PhaseShare* share : {&phase.by_kind[std::string(w.kind)], &phase.by_part[part_of(w)]}) {
      share->weight_bytes += w.weight_bytes;
      share->state_bytes += w.state_bytes;
      share->operations += w.operations;
      share->limit_seconds += limit + step;
      if (clock.knows_today()) share->today_seconds += today + today_step;
      if (w.begins_step) share->steps += 1;
    }
    add_speed(phase.limit, limit, clock.bandwidth_seconds(w), clock.compute_seconds(w));
    phase.limit.seconds += step;
    phase.limit.step_seconds += step;
    if (!clock.knows_today()) continue;
    if (!phase.today) phase.today.emplace();
    add_speed(*phase.today, today, clock.bandwidth_seconds(w), clock.compute_seconds(w));
    phase.today->seconds += today_step;
    phase.today->step_seconds += today_step;
  }
}

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
    phase.operations += s.operations;
    phase.steps += s.steps;
  }
  finish(phase.limit, phase.tokens);
  if (phase.today) finish(*phase.today, phase.tokens);
}

struct Models {
  const Graph& graph;
  const WeightFormats& formats;
  const Machine& machine;
  const PredictOptions& options;
  double weight_bytes;  // of the model
};

Phase predict_prefill(const Models& m, bool absorbed) {
  Phase phase{.tokens = m.options.prompt, .sequences = 1};
  const Clock clock(m.machine, m.weight_bytes);
  for (int64_t at = 0; at < m.options.prompt; at += m.options.chunk) {
    const int64_t n = std::min(m.options.chunk, m.options.prompt - at);
    const bool last = at + n == m.options.prompt;
    add_work(phase,
             work_of(m.graph, m.formats, m.options.state,
                     Workload::prefill(n, m.options.depth + at), last ? 1 : 0, absorbed),
             clock);
  }
  finish(phase);
  return phase;
}

Phase predict_decode(const Models& m, bool absorbed) {
  const int64_t n = m.options.sequences;
  Phase phase{.tokens = n, .sequences = n};
  const int64_t from = m.options.decode_from.value_or(m.options.depth + m.options.prompt);
  const int64_t depth = from + m.options.generate / 2;
  add_work(phase,
           work_of(m.graph, m.formats, m.options.state, Workload::decode(depth, n), n, absorbed),
           Clock(m.machine, m.weight_bytes));
  finish(phase);
  return phase;
}

/// Latent attention may run absorbed or expanded: the limit is the faster of them, today's engine
/// runs it absorbed.
template <class F>
Phase better(const Models& m, F predict_phase) {
  Phase phase = predict_phase(m, true);
  if (phase.by_kind.empty()) return phase;
  Phase other = predict_phase(m, false);
  if (other.limit.seconds < phase.limit.seconds) {
    other.today = phase.today;
    for (auto& [kind, share] : other.by_kind)
      share.today_seconds = phase.by_kind[kind].today_seconds;
    for (auto& [part, share] : other.by_part)
      share.today_seconds = phase.by_part[part].today_seconds;
    return other;
  }
  return phase;
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

void predict_alternatives(const Blueprint& bp, const Graph& graph, double others,
                          const StateBytes& state, Prediction& p) {
  for (const char* name : kAlternatives) {
    PredictOptions options = p.options;
    options.weights = name;
    options.formats = weight_formats(name, bp);
    Alternative a{.weights = name, .bytes = bytes_of(graph, options.formats)};
    const double room = static_cast<double>(p.memory.available - a.bytes) - others;
    a.largest_context =
        largest(kLongestContext, [&](int64_t n) { return state(n, options.sequences) <= room; });
    a.fits = a.largest_context >= options.context;
    const Models m{graph, options.formats, p.machine, options, static_cast<double>(a.bytes)};
    const Phase prefill = better(m, predict_prefill), decode = better(m, predict_decode);
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
  return predict_graph(bp, graph_of(bp), machine, options);
}

Prediction predict_graph(const Blueprint& bp, const Graph& graph, const Machine& machine,
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
  check_state(graph, options.state);
  if (!p.options.formats) p.options.formats = weight_formats(options.weights, bp);
  const EngineBytes engine = allocation_of(graph, p.options.formats,
                                           {.threads = machine.threads,
                                            .context = options.context,
                                            .sequences = options.sequences,
                                            .chunk = options.chunk,
                                            .state = options.state});
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

  const Models m{graph, p.options.formats, machine, p.options,
                 static_cast<double>(p.memory.weights)};
  p.prefill = better(m, predict_prefill);
  p.decode = better(m, predict_decode);
  // The first token is there when the prompt has been evaluated.
  p.first_token_limit = p.prefill.limit.seconds;
  p.first_token_today = p.prefill.today ? p.prefill.today->seconds : 0;
  if (options.alternatives) predict_alternatives(bp, graph, others, state, p);
  return p;
}

}  // namespace ashlar
