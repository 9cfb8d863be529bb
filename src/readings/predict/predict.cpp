// Predictions: the work of a step on a machine, at its limit and with today's kernels; memory.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/units.h"
#include "ops/state.h"
#include "readings/predict/deployment.h"
#include "readings/predict/phases.h"
#include "readings/predict/predict.h"

namespace ashlar {
namespace {

constexpr int64_t kLongestContext = 10 * 1024 * 1024;
constexpr int64_t kMostSequences = 1 << 16;

void check_range(int64_t value, int64_t least, int64_t most, std::string_view name) {
  if (value < least || value > most)
    fail(ErrorKind::invalid, "{}: expected {} to {}, found {}", name, least, most, value);
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

constexpr const char* kAlternatives[] = {"bf16",  "fp8",   "q8_0",   "q6_k",   "q5_k_m", "int4",
                                         "mxfp4", "nvfp4", "q4_k_m", "q3_k_m", "q2_k"};
/// More bits than this change nothing that is measured, and are read twice as slowly.
constexpr const char* kEnough = "q8_0";

std::string short_name(const std::string& weights) {
  return weights == "fp8_b128" ? "fp8" : weights == "int4_g32" ? "int4" : weights;
}

/// Memory that the devices share, and what each needs for itself.
struct Needs {
  double shared = 0, each = 0;
};

void add_exchanges(Phase& phase, const SplitPlan& split, double steps) {
  const double seconds = split.seconds * steps;
  phase.limit.seconds += seconds;
  phase.limit.step_seconds += seconds;
  finish(phase.limit, phase.tokens);
}

void predict_alternatives(const Blueprint& bp, PlannedGraph& planned, const Machine& all,
                          const Needs& needs, const StateBytes& state, Prediction& p) {
  std::vector<std::string> names(std::begin(kAlternatives), std::end(kAlternatives));
  const std::string native = short_name(p.native);
  if (std::find(names.begin(), names.end(), native) == names.end()) names.push_back(native);
  for (const std::string& name : names) {
    PredictOptions options = p.options;
    options.weights = name;
    options.formats = weight_formats(name, bp);
    Alternative a{.weights = name, .bytes = bytes_of(planned.graph(), options.formats)};
    const auto weights = static_cast<double>(a.bytes);
    const double shared = needs.shared - static_cast<double>(p.memory.weights) + weights;
    const double state_now = static_cast<double>(p.memory.state);
    const double room = static_cast<double>(p.memory.available) - needs.each - shared + state_now;
    a.devices_needed = devices_for(p.machine, shared, needs.each / static_cast<double>(p.devices));
    a.largest_context =
        largest(kLongestContext, [&](int64_t n) { return state(n, options.sequences) <= room; });
    a.fits = a.largest_context >= options.context;
    const Subject m{planned, options.formats, all, options, weights};
    const Phase prefill = predict_prefill(m);
    const Phase decode = predict_decode(m);
    a.prefill_limit = prefill.limit.tokens_per_second;
    a.decode_limit = decode.limit.tokens_per_second;
    if (prefill.today) a.prefill_today = prefill.today->tokens_per_second;
    if (decode.today) a.decode_today = decode.today->tokens_per_second;
    p.alternatives.push_back(a);
  }
  std::stable_sort(p.alternatives.begin(), p.alternatives.end(),
                   [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  const auto bytes_named = [&](std::string_view name) {
    for (const Alternative& a : p.alternatives)
      if (a.weights == name) return a.bytes;
    return int64_t{0};
  };
  // Never more than the release has; of what is left, no more than changes anything.
  const int64_t most = bytes_named(native);
  const int64_t enough =
      std::min(most, std::max(bytes_named(kEnough), most <= bytes_named("bf16") / 2 ? most : 0));
  const auto best = std::find_if(p.alternatives.begin(), p.alternatives.end(),
                                 [&](const Alternative& a) { return a.fits && a.bytes <= enough; });
  if (best == p.alternatives.end()) {
    p.suggestion_reason =
        fmt::format("no mix fits {} sequence(s) of {} tokens in {}", p.options.sequences,
                    p.options.context, short_bytes(static_cast<double>(p.memory.available)));
    return;
  }
  p.suggestion = best->weights;
  const std::string room =
      fmt::format("{} and room for {} tokens", short_bytes(static_cast<double>(best->bytes)),
                  grouped(best->largest_context));
  p.suggestion_reason = best->weights == native ? fmt::format("as released: {}", room)
                        : best->bytes == enough
                            ? fmt::format("{}; more bits would only be slower", room)
                            : fmt::format("the most bits that fit: {}", room);
}

/// What a step of decoding takes on one device, by experts and all else, at the limit.
struct Shares {
  double experts = 0, others = 0;
};

Shares shares_of(const Phase& decode) {
  Shares s;
  for (const auto& [kind, share] : decode.by_kind)
    (kind == "experts" ? s.experts : s.others) += share.limit_seconds;
  return s;
}

double expert_bytes_of(const Graph& graph, const WeightFormats& formats) {
  double bytes = 0;
  for (const Param& p : graph.params())
    if (p.role == Role::expert)
      bytes += static_cast<double>(p.rows() * row_bytes(formats(p), p.cols()));
  return bytes;
}

void predict_splits(const Blueprint& bp, const Subject& one, const Needs& needs, Prediction& p) {
  const Machine& machine = p.machine;
  const int64_t n = p.devices, sequences = p.options.sequences;
  const auto devices = static_cast<double>(n);
  const double tokens = static_cast<double>(sequences);
  const auto limit = [&](int64_t at_once, double exchange) {
    const Machine all = joined(machine, n, at_once);
    const Subject m{one.graph, one.formats, all, one.options, one.weight_bytes};
    return tokens / (predict_decode(m).limit.seconds + exchange);
  };
  const bool fits = p.memory.fits;
  SplitPlan tensor = tensor_over(machine, n, bp, sequences);
  p.splits.push_back({"tensor", tensor.tensor, tensor.pipeline, tensor.bytes, tensor.seconds,
                      fits ? limit(tensor.tensor, tensor.seconds) : 0});
  const SplitPlan layers = pipeline_over(machine, n, bp, sequences);
  p.splits.push_back(
      {"pipeline", 1, n, layers.bytes, layers.seconds, fits ? limit(1, layers.seconds) : 0});
  const double room = machine.usable_bytes() - needs.each / devices;
  const double experts = expert_bytes_of(one.graph.graph(), one.formats);
  if (experts > 0) {
    // Every device has all but the experts and works on its own sequences; rows go to the experts'
    // devices and back.
    const double others = static_cast<double>(p.memory.weights) - experts;
    const bool holds = others + experts / devices +
                           static_cast<double>(p.memory.state + p.memory.copies) / devices <=
                       room;
    const Shares s = shares_of(predict_decode(one));
    const SplitPlan exchange = expert_exchange(machine, n, bp, sequences);
    p.splits.push_back({"expert", 1, 1, exchange.bytes, exchange.seconds,
                        holds ? tokens / (s.others + s.experts / devices + exchange.seconds) : 0});
  }
  const bool copies_fit = needs.shared - static_cast<double>(p.memory.state) +
                              static_cast<double>(p.memory.state) / devices <=
                          room;
  PredictOptions share = p.options;
  share.sequences = std::max<int64_t>(1, (sequences + n - 1) / n);
  const Subject m{one.graph, one.formats, machine, share, one.weight_bytes};
  p.splits.push_back(
      {"data", 1, 1, 0, 0, copies_fit ? tokens / predict_decode(m).limit.seconds : 0});
}

/// What stays in host memory where `devices` cannot hold the model, and how fast that is.
void predict_offload(const Subject& one, const Needs& needs, int64_t devices, Prediction& p) {
  if (p.machine.host_bytes_per_second <= 0) return;
  const auto n = static_cast<double>(devices);
  const double each = needs.each / static_cast<double>(p.devices);
  const double over = needs.shared - n * (p.machine.usable_bytes() - each);
  if (over <= 0) return;
  const Phase decode = predict_decode(one);
  const double experts = expert_bytes_of(one.graph.graph(), one.formats);
  const bool by_expert = experts > over;
  const double candidates = by_expert ? experts : static_cast<double>(p.memory.weights);
  if (over > candidates) return;
  const double share = over / candidates;
  double read = 0;
  for (const auto& [kind, s] : decode.by_kind)
    if (!by_expert || kind == "experts") read += s.weight_bytes;
  const double seconds = decode.limit.seconds - share * read / p.machine.bandwidth(1e30) +
                         share * read / p.machine.host_bytes_per_second;
  p.offload = Offload{by_expert ? "experts" : "layers", share,
                      static_cast<double>(decode.tokens) / seconds};
}

/// `best`: tokens per second at the limit of the split and of the weights that are fastest.
void expect(const Blueprint& bp, const Machine& machine, bool prefill, int64_t devices, double best,
            Phase& phase) {
  if (phase.today) {  // measured here
    phase.expected = {0.8 * phase.today->tokens_per_second, 1.2 * phase.today->tokens_per_second};
    return;
  }
  SpeedRange range = efficiency(machine, bp, prefill, phase.sequences);
  if (devices > 1) {
    range.low *= 0.8;
    // The limit counts one chunk of a prompt at a time; they follow each other through devices.
    if (prefill) range.high *= 1.25;
  }
  phase.expected = {range.low * phase.limit.tokens_per_second,
                    range.high * std::max(best, phase.limit.tokens_per_second)};
}

/// The limit of decoding in the fastest way that engines have: matrices shared by all devices, and
/// what stands in bfloat16 beside experts of four bits held in eight.
double best_decode(const Blueprint& bp, PlannedGraph& planned, const Prediction& p) {
  const SplitPlan split = tensor_over(p.machine, p.devices, bp, p.options.sequences);
  const Machine all = joined(p.machine, p.devices, split.tensor);
  const auto four = [&](const Param& q) {
    const Format f = p.options.formats(q);
    return q.role == Role::expert && (f == Format::mxfp4 || f == Format::int4_g32);
  };
  const auto& params = planned.graph().params();
  const bool held = std::any_of(params.begin(), params.end(), four);
  const WeightFormats formats = held ? held_in_eight_bits(p.options.formats) : p.options.formats;
  const Subject m{planned, formats, all, p.options, static_cast<double>(p.memory.weights)};
  const double seconds = predict_decode(m).limit.seconds + split.seconds;
  return static_cast<double>(p.options.sequences) / seconds;
}

void state_growth(const Graph& graph, Format format, Prediction& p) {
  for (const NodeState& n : states_of(graph)) {
    const double row = static_cast<double>(row_bytes(format, n.spec.key_width) +
                                           row_bytes(format, n.spec.value_width));
    p.state_bytes_first += row;
    if (n.spec.window == 0 && n.spec.chunk == 0) p.state_bytes_later += row;
    p.state_bytes_fixed += static_cast<double>(n.spec.fixed) * 4;
  }
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
  check_range(options.devices, 0, kMostDevices, "devices");
  p.native = options.native.empty() ? native_weights(bp) : options.native;
  if (!p.options.formats) {
    if (options.weights == "native") p.options.weights = p.native;
    p.options.formats = weight_formats(p.options.weights, bp);
  }
  const EngineOptions engine_opts = engine_options(machine, options);
  const EngineBytes engine = engine_bytes(
      planned.plan(p.options.formats, engine_opts, LatentForm::absorbed).plan, engine_opts);
  const StateBytes state(graph, p.options);
  p.memory.weights = bytes_of(graph, p.options.formats);
  p.memory.state = allocated_state_bytes(graph, options.state, options.context, options.chunk,
                                         options.sequences);
  p.memory.activations = engine.activations;
  p.memory.copies = engine.copies;
  Needs needs{static_cast<double>(p.memory.weights + p.memory.copies + p.memory.state),
              static_cast<double>(p.memory.activations)};
  p.devices_needed = devices_for(machine, needs.shared, needs.each);
  p.devices = options.devices > 0 ? options.devices : std::max<int64_t>(1, p.devices_needed);
  needs.each *= static_cast<double>(p.devices);
  p.memory.activations *= p.devices;
  p.memory.total = p.memory.weights + p.memory.copies + p.memory.state + p.memory.activations;
  p.memory.available =
      static_cast<int64_t>(machine.usable_bytes() * static_cast<double>(p.devices));
  p.memory.fits = p.memory.total <= p.memory.available;
  state_growth(graph, options.state, p);
  const double others = static_cast<double>(p.memory.activations + p.memory.copies);
  const double room = static_cast<double>(p.memory.available - p.memory.weights) - others;
  p.largest_context =
      largest(kLongestContext, [&](int64_t n) { return state(n, options.sequences) <= room; });
  p.largest_sequences =
      largest(kMostSequences, [&](int64_t n) { return state(options.context, n) <= room; });
  if (room < 0) p.largest_context = p.largest_sequences = 0;

  const auto weight_bytes = static_cast<double>(p.memory.weights);
  const SplitPlan split = split_over(machine, p.devices, bp, options.sequences);
  const Machine all = joined(machine, p.devices, split.tensor);
  const Subject m{planned, p.options.formats, all, p.options, weight_bytes};
  const Subject one{planned, p.options.formats, machine, p.options, weight_bytes};
  p.prefill = predict_prefill(m);
  p.decode = predict_decode(m);
  if (p.devices > 1) {
    const int64_t rows = std::min(options.prompt, options.chunk);
    const int64_t chunks = (options.prompt + options.chunk - 1) / options.chunk;
    add_exchanges(p.prefill, split_over(machine, p.devices, bp, rows), static_cast<double>(chunks));
    add_exchanges(p.decode, split, 1);
    predict_splits(bp, one, needs, p);
  }
  if (p.memory.fits) {
    expect(bp, machine, true, p.devices, 0, p.prefill);
    expect(bp, machine, false, p.devices, p.decode.today ? 0 : best_decode(bp, planned, p),
           p.decode);
  }
  if (!p.memory.fits || p.devices > 1)
    predict_offload(one, needs, p.memory.fits ? 1 : p.devices, p);
  // The first token is there when the prompt has been evaluated.
  p.first_token_limit = p.prefill.limit.seconds;
  p.first_token_today = p.prefill.today ? p.prefill.today->seconds : 0;
  if (options.alternatives) predict_alternatives(bp, planned, all, needs, state, p);
  return p;
}

}  // namespace ashlar
