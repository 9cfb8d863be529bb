// Comparing: words about structure, sizes from counting, speeds from planning, fields from diff.
#include "readings/compare/compare.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "readings/compare/compare_report.h"
#include "readings/compare/compare_words.h"
#include "readings/predict/planned_graph.h"

namespace ashlar {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kLongestCurve = 1 << 20, kLargestBatch = 256;

PredictOptions predict_options(const CompareOptions& o, int64_t context) {
  PredictOptions p;
  p.context = context;
  p.weights = o.weights;
  p.state = o.state;
  p.alternatives = false;
  return p;
}

/// A machine without any speed, so that a plan still says what memory it takes.
Machine nowhere() {
  Machine m;
  m.name = "none";
  m.memory_bytes = 1e18;
  m.read.push_back({0, 0, 1e12});
  m.matrix.push_back({"f32", "", 0, 1e12});
  m.matrix.push_back({"bf16", "", 0, 1e12});
  return m;
}

/// A blueprint with what all its points share.
struct Subject {
  const Blueprint& blueprint;
  PlannedGraph graph{graph_of(blueprint)};
  WeightFormats formats;
};

CurvePoint point_of(Subject& s, const CompareOptions& o, int64_t context, int64_t sequences) {
  PredictOptions options = predict_options(o, context);
  options.sequences = sequences;
  // One token at the end of the context; how it got there is no part of the curves.
  options.generate = 1;
  options.prompt = 1;
  options.decode_from = std::max<int64_t>(context - 1, 1);
  options.formats = s.formats;
  const Prediction p =
      predict_graph(s.blueprint, s.graph, o.machine ? *o.machine : nowhere(), options);
  CurvePoint point;
  point.context = context;
  point.sequences = sequences;
  point.state_bytes = static_cast<double>(p.memory.state);
  point.memory_bytes = static_cast<double>(p.memory.total);
  if (o.machine) {
    point.seconds_per_token = p.decode.limit.seconds;
    point.tokens_per_second = p.decode.limit.tokens_per_second;
  }
  return point;
}

Curves curves_of(const Blueprint& bp, const std::string& name, const CompareOptions& o) {
  Curves c;
  c.model = name;
  Subject subject{.blueprint = bp, .formats = weight_formats(o.weights, bp)};
  const int64_t most =
      bp.context > 0 ? std::min(bp.context, kLongestCurve) : std::max<int64_t>(o.context, 32768);
  for (int64_t context = 1024; context < most; context *= 2)
    c.over_context.push_back(point_of(subject, o, context, 1));
  c.over_context.push_back(point_of(subject, o, most, 1));
  for (int64_t n = 1; n <= kLargestBatch; n *= 2)
    c.over_batch.push_back(point_of(subject, o, o.context, n));
  return c;
}

void sizes_of(std::span<const Blueprint> blueprints, const std::vector<Anatomy>& anatomies,
              Comparison& c) {
  const CompareOptions& o = c.options;
  std::vector<Count> counts;
  std::vector<Prediction> plans;
  for (const Blueprint& bp : blueprints) {
    counts.push_back(count(
        bp, {.context = o.context, .weights = o.weights, .state = o.state, .training = false}));
    if (o.machine) {
      PredictOptions p = predict_options(o, o.context);
      p.context = std::max(p.context, p.prompt + p.generate);
      plans.push_back(predict(bp, *o.machine, p));
    }
  }
  const auto row = [&](std::string name, std::string unit, auto value) {
    SizeRow r{std::move(name), std::move(unit), {}};
    for (size_t i = 0; i < blueprints.size(); ++i)
      r.values.push_back(static_cast<double>(value(i)));
    c.sizes.push_back(std::move(r));
  };
  row("parameters", "", [&](size_t i) { return counts[i].parameters.total; });
  row("active per token", "", [&](size_t i) { return counts[i].parameters.active; });
  row("active without embedding", "",
      [&](size_t i) { return counts[i].parameters.active_without_embedding; });
  row("embedding", "", [&](size_t i) { return counts[i].parameters.embedding; });
  row("layers", "", [&](size_t i) { return anatomies[i].layers(); });
  row("d_model", "", [&](size_t i) { return blueprints[i].embedding.width; });
  row(kMadeFor, "", [&](size_t i) {
    return blueprints[i].context > 0 ? static_cast<double>(blueprints[i].context) : kUnknown;
  });
  row("weights", "bytes", [&](size_t i) { return counts[i].weights.bytes; });
  row("weights read per token", "bytes",
      [&](size_t i) { return counts[i].weights.bytes_per_token; });
  row("state per token", "bytes", [&](size_t i) { return counts[i].state.bytes_per_token; });
  row("state at context", "bytes", [&](size_t i) { return counts[i].state.bytes_at_context; });
  row("operations per token, prefill", "FLOPs",
      [&](size_t i) { return counts[i].flops_per_token.prefill; });
  row("operations per token, decode", "FLOPs",
      [&](size_t i) { return counts[i].flops_per_token.decode; });
  if (!o.machine) return;
  row("memory", "bytes", [&](size_t i) { return plans[i].memory.total; });
  row("largest context that fits", "", [&](size_t i) { return plans[i].largest_context; });
  row("prefill at the limit", "tokens/s",
      [&](size_t i) { return plans[i].prefill.limit.tokens_per_second; });
  row("decode at the limit", "tokens/s",
      [&](size_t i) { return plans[i].decode.limit.tokens_per_second; });
  if (!o.machine->kernels) return;
  row("prefill with today’s kernels", "tokens/s", [&](size_t i) {
    return plans[i].prefill.today ? plans[i].prefill.today->tokens_per_second : kUnknown;
  });
  row("decode with today’s kernels", "tokens/s", [&](size_t i) {
    return plans[i].decode.today ? plans[i].decode.today->tokens_per_second : kUnknown;
  });
}

}  // namespace

Comparison compare(std::span<const Blueprint> blueprints, const CompareOptions& options) {
  if (blueprints.size() < 2)
    fail(ErrorKind::invalid, "compare: expected at least two models, found {}", blueprints.size());
  Comparison c;
  c.options = options;
  std::vector<Anatomy> anatomies;
  std::vector<std::vector<Fact>> structures;
  for (const Blueprint& bp : blueprints) {
    anatomies.push_back(anatomy_of(bp));
    structures.push_back(structure_of(anatomies.back()));
    // Two of one name would be told apart by nothing.
    std::string name = anatomies.back().name();
    for (int n = 2; std::find(c.models.begin(), c.models.end(), name) != c.models.end(); ++n)
      name = anatomies.back().name() + " (" + std::to_string(n) + ")";
    c.models.push_back(std::move(name));
  }
  for (size_t t = 0; t < structures[0].size(); ++t) {
    Statement s{structures[0][t].key, {}, true};
    for (const auto& structure : structures) {
      s.words.push_back(structure[t].text);
      s.same = s.same && structure[t].text == s.words[0];
    }
    c.statements.push_back(std::move(s));
  }
  sizes_of(blueprints, anatomies, c);
  for (size_t i = 0; i < blueprints.size() && options.curves; ++i)
    c.curves.push_back(curves_of(blueprints[i], c.models[i], options));
  for (size_t i = 1; i < blueprints.size(); ++i) {
    for (Difference& d : diff(blueprints[0], blueprints[i]))
      c.fields.push_back({c.models[i], std::move(d)});
  }
  return c;
}

}  // namespace ashlar
