// Counting: sums over the graph. Conventions: docs/counting.md.
#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "ops/fractions.h"
#include "ops/inputs.h"
#include "ops/state.h"
#include "readings/count/count.h"
#include "readings/predict/planned_graph.h"
#include "run/state_format.h"
#include "transform/differentiate.h"

namespace ashlar {
namespace {

/// Longest context: the operations of one node stay below 2^63 for every released model.
constexpr int64_t kLongestContext = 10 * 1024 * 1024;
constexpr int64_t kLongestStep = 4 * 1024 * 1024;  // backward, attention performs 2.5 times as many
constexpr int64_t kMostSequences = 1 << 16;
constexpr int64_t kMostTokens = int64_t{1} << 32;
constexpr int64_t kLargestBatch = 256;  // of the table over batches

void check_range(int64_t value, int64_t most, std::string_view name) {
  if (value < 1 || value > most)
    fail(ErrorKind::invalid, "{}: expected 1 to {}, found {}", name, most, value);
}

int64_t bytes_of(const Param& p, Format format) { return p.rows() * row_bytes(format, p.cols()); }

/// Parameters that are only looked up by row: one row per token is read.
IdVector<ParamId, bool> looked_up(const Graph& graph) {
  IdVector<ParamId, bool> only(graph.params().size(), true);
  for (const Node& node : graph.nodes()) {
    const bool lookup = node.op.as<Embed>() != nullptr || node.op.as<LearnedPosition>() != nullptr;
    for (const Input& in : node.inputs) {
      if (in.is_param() && !lookup) only[in.param] = false;
    }
  }
  return only;
}

/// Weights that a step reads which decodes one token of each sequence.
StepBytes step_bytes(const Graph& graph, const WeightFormats& formats,
                     const IdVector<ParamId, Fraction>& fractions,
                     const IdVector<ParamId, bool>& rows_only, int64_t sequences) {
  StepBytes step{sequences};
  const auto n = static_cast<double>(sequences);
  double touched = 0, expert_layers = 0;
  std::set<std::string_view> seen;
  for (const ParamId i : graph.params().ids()) {
    const Param& param = graph.params()[i];
    const Format format = formats(param);
    double read = static_cast<double>(bytes_of(param, format));
    if (fractions[i].experts > 1) {
      // Each token chooses `chosen` of the experts, independently and evenly.
      const auto e = static_cast<double>(fractions[i].experts);
      const double hit = e * (1 - std::pow(1 - static_cast<double>(fractions[i].chosen) / e, n));
      read = read / e * hit;
      const std::string_view layer(param.name.data(), param.name.rfind('.'));
      if (seen.insert(layer).second) {
        touched += hit;
        expert_layers += 1;
      }
    } else if (rows_only[i]) {
      read = std::min(read, n * static_cast<double>(row_bytes(format, param.cols())));
    }
    step.bytes_per_step += read;
  }
  step.bytes_per_token = step.bytes_per_step / n;
  if (expert_layers > 0) step.experts_touched = touched / expert_layers;
  return step;
}

void count_parameters(const Blueprint& bp, const Graph& graph, const WeightFormats& formats,
                      Count& c) {
  const IdVector<ParamId, Fraction> fractions = expert_fractions(graph);
  const IdVector<ParamId, bool> rows_only = looked_up(graph);
  Count::Parameters& p = c.parameters;
  p.by_layer.assign(bp.blocks.size(), 0);
  p.active_by_layer.assign(bp.blocks.size(), 0);
  for (const ParamId i : graph.params().ids()) {
    const Param& param = graph.params()[i];
    const Fraction f = fractions[i];
    const int64_t n = param.elements(), active = n / f.experts * f.chosen;
    const Format format = formats(param);
    const int64_t bytes = bytes_of(param, format);
    p.total += n;
    p.active += active;
    if (param.name == "embedding") p.embedding = n;
    if (!(rows_only[i] && param.role == Role::embedding)) p.active_without_embedding += active;
    const std::string kind = enum_name(param.place.part);
    const auto add = [&](Share& share) {
      share.parameters += n;
      share.active += active;
      share.bytes += bytes;
    };
    add(c.by_kind[kind]);
    p.by_kind[kind] += n;
    if (const auto layer = param.place.layer) {
      p.by_layer[*layer] += n;
      p.active_by_layer[*layer] += active;
      add(c.by_layer[*layer]);
    }
    c.weights.bytes += bytes;
    c.weights.by_format[std::string(info(format).name)] += bytes;
  }
  const StepBytes step = step_bytes(graph, formats, fractions, rows_only, c.options.sequences);
  c.weights.bytes_per_step = step.bytes_per_step;
  c.weights.bytes_per_token = step.bytes_per_token;
  c.weights.experts_touched = step.experts_touched;
  for (int64_t n = 1; n <= kLargestBatch; n *= 2)
    c.weights.by_batch.push_back(step_bytes(graph, formats, fractions, rows_only, n));
  if (!bp.mtp.empty()) {
    const Graph mtp = mtp_graph_of(bp);
    for (const Param& param : mtp.params()) {
      if (param.name.starts_with("mtp.")) p.mtp += param.elements();
    }
  }
}

void count_operations(const Graph& graph, Count& c) {
  const Workload prefill = Workload::prefill(c.options.context);
  const Workload decode = Workload::decode(c.options.context);
  for (const Node& node : graph.nodes()) {
    const std::vector<Type> in = graph.input_types(node);
    const auto p = static_cast<double>(node.op.flops(in, prefill));
    const auto d = static_cast<double>(node.op.flops(in, decode));
    const std::string kind = enum_name(node.place.part);
    c.by_kind[kind].prefill_flops += p;
    c.by_kind[kind].decode_flops += d;
    c.flops_per_token.prefill += p;
    c.flops_per_token.decode += d;
    c.flops_per_token.prefill_by_kind[kind] += p;
    c.flops_per_token.decode_by_kind[kind] += d;
    if (const auto layer = node.place.layer) {
      c.by_layer[*layer].prefill_flops += p;
      c.by_layer[*layer].decode_flops += d;
    }
  }
  const auto tokens = static_cast<double>(c.options.context);
  c.flops_per_token.prefill /= tokens;
  for (auto& [kind, flops] : c.flops_per_token.prefill_by_kind) flops /= tokens;
}

/// The most bytes of values alive at once, each from the node that makes it to the last that reads
/// it, while the nodes are evaluated in order; and where that is.
struct Peak {
  int64_t bytes = 0;
  NodeId at;
};

/// `kept`: a value that stays until the end.
template <class Bytes>
Peak peak_of(const Graph& graph, const Bytes& bytes, ValueId kept = {}) {
  const auto& nodes = graph.nodes();
  IdVector<ValueId, NodeId> last(graph.types().size());
  for (const NodeId i : nodes.ids()) {
    for (const ValueId out : nodes[i].outputs) last[out] = i;
    for (const Input& in : nodes[i].inputs) {
      if (in.is_value()) last[in.value] = i;
    }
  }
  IdVector<NodeId, int64_t> ending(nodes.size(), 0);
  for (const ValueId v : last.ids()) {
    if (v != kept) ending[last[v]] += bytes(v);
  }
  int64_t live = 0;
  Peak peak;
  for (const NodeId i : nodes.ids()) {
    for (const ValueId out : nodes[i].outputs) live += bytes(out);
    if (live > peak.bytes) peak = {live, i};
    live -= ending[i];
  }
  return peak;
}

/// The peak of values with a row per token, while `tokens` tokens go through a graph of primitives.
int64_t peak_activation_bytes(const Graph& graph, int64_t tokens) {
  const auto bytes = [&](ValueId id) {
    const Type& type = graph.type(id);
    const int64_t each = type.kind == Kind::real ? 4 : 8;  // float32; an index has 64 bits
    return type.per_token() ? tokens * type.feature_count() * each : 0;
  };
  return peak_of(graph, bytes).bytes;
}

void count_training(const Blueprint& bp, Count& c) {
  const Graph graph = trained_graph(bp, c.options.mtp);
  DifferentiateOptions how{.losses = {.mtp = c.options.mtp ? 1.0 : 0.0}};
  Workload load;
  load.runs = {{0, c.options.tokens}};
  const Graph step = differentiate(graph, how);
  for (const Node& node : step.nodes()) {
    c.training.flops += static_cast<double>(c.options.sequences) *
                        static_cast<double>(node.op.flops(step.input_types(node), load));
  }
  const int64_t tokens = c.options.sequences * c.options.tokens;
  c.training.flops_per_token = c.training.flops / static_cast<double>(tokens);
  c.training.activation_bytes = peak_activation_bytes(step.expanded(), tokens);
  how.recompute_layers = true;
  c.training.recomputed_activation_bytes =
      peak_activation_bytes(differentiate(graph, how).expanded(), tokens);
  c.training.weight_bytes = 4 * graph.parameter_count();
  c.training.gradient_bytes = c.training.weight_bytes;
  c.training.optimizer_bytes = 2 * c.training.weight_bytes;
}

void count_state(const Graph& graph, Count& c) {
  Count::State& s = c.state;
  const int64_t context = c.options.context, sequences = c.options.sequences;
  const Format rows = c.options.state;
  for (const NodeState& n : states_of(graph)) {
    const StateSpec& spec = n.spec;
    const std::string kind = enum_name(spec.kind);
    const int64_t bound = spec.kind == StateKind::window ? spec.window : spec.chunk;
    auto it = std::find_if(s.by_kind.begin(), s.by_kind.end(), [&](const StateShare& share) {
      return share.kind == kind && share.window == bound;
    });
    if (it == s.by_kind.end()) it = s.by_kind.insert(it, StateShare{kind, 0, bound});
    const int64_t numbers = sequences * spec.live_numbers(context);
    const int64_t bytes = sequences * live_state_bytes(spec, rows, context);
    it->layers += 1;
    it->elements_per_token += spec.width();
    it->naive_elements_per_token += spec.naive_width;
    it->elements_at_context += numbers;
    it->bytes_at_context += bytes;
    s.elements_per_token += spec.width();
    s.naive_elements_per_token += spec.naive_width;
    s.elements_at_context += numbers;
    s.bytes_at_context += bytes;
    s.naive_bytes_at_context +=
        sequences *
        (spec.live_tokens(context) * row_bytes(rows, spec.naive_width) + spec.fixed * 4);
    s.bytes_per_token +=
        static_cast<double>(row_bytes(rows, spec.key_width) + row_bytes(rows, spec.value_width));
  }
  s.allocated_bytes =
      allocated_state_bytes(graph, c.options.state, context, c.options.tokens, sequences);
}

void count_activations(const Graph& graph, Count& c) {
  const Graph expanded = graph.expanded("expert_ffn");
  const auto& nodes = expanded.nodes();
  const auto bytes = [&](ValueId id) {
    const Type& type = expanded.type(id);
    const bool logits =
        nodes.back().place.part == Part::head && type == expanded.type(expanded.output());
    const int64_t rows = !type.per_token() ? 1 : logits ? c.options.sequences : c.options.tokens;
    return rows * type.feature_count() * 4;
  };
  const Peak peak = peak_of(expanded, bytes, expanded.output());
  c.activations.peak_bytes = peak.bytes;
  c.activations.peak_at = nodes[peak.at].name();
  c.activations.logits_bytes = bytes(expanded.output());
}

}  // namespace

void check_state(const Graph& graph, Format state) {
  const int64_t block = info(state).block_len;
  for (const NodeState& n : states_of(graph)) {
    for (const int64_t width : {n.spec.key_width, n.spec.value_width}) {
      if (width % block != 0) {
        fail(ErrorKind::invalid, "state {}: {} keeps rows of {} numbers, not a multiple of {}",
             info(state).name, graph.nodes()[n.node].scope, width, block);
      }
    }
  }
}

int64_t allocated_state_bytes(const Graph& graph, Format state, int64_t context, int64_t step,
                              int64_t sequences) {
  int64_t bytes = 0;
  for (const NodeState& n : states_of(graph))
    bytes += allocated_state_bytes(n.spec, state, {context, step, sequences});
  return bytes;
}

Count count(const Blueprint& bp, const CountOptions& options) {
  check_range(options.tokens, kLongestStep, "tokens");
  check_range(options.context, kLongestContext, "context");
  check_range(options.sequences, kMostSequences, "sequences");
  check_range(options.sequences * options.tokens, kMostTokens, "sequences * tokens");
  Count c;
  c.model = bp.name;
  c.options = options;
  c.by_layer.resize(bp.blocks.size());
  const Graph graph = graph_of(bp);
  check_state(graph, options.state);
  const WeightFormats formats =
      options.formats ? options.formats : weight_formats(options.weights, bp);
  count_parameters(bp, graph, formats, c);
  count_operations(graph, c);
  count_state(graph, c);
  count_activations(graph, c);
  // A state format that no engine keeps counts as float16.
  const bool kept = is_state_format(options.state);
  const EngineBytes engine = engine_bytes(graph, weightless(graph, formats),
                                          {.threads = options.threads,
                                           .kernels = options.kernels,
                                           .context = options.context,
                                           .sequences = options.sequences,
                                           .chunk = options.tokens,
                                           .state = kept ? options.state : Format::f16});
  c.activations.allocated_bytes = engine.activations;
  c.activations.copied_bytes = engine.copies;
  if (options.training) count_training(bp, c);
  return c;
}

}  // namespace ashlar
