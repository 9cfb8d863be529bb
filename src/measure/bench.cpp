// Runs prompts and decodes on the engine, and joins what its steps took with what was planned.
#include "measure/bench.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "generate/generator.h"
#include "generate/mtp_drafter.h"
#include "measure/probe.h"
#include "measure/timing.h"
#include "plan/work.h"

namespace ashlar {
namespace {

void check_range(int64_t value, int64_t least, int64_t most, std::string_view name) {
  if (value < least || value > most)
    fail(ErrorKind::invalid, "{}: expected {} to {}, found {}", name, least, most, value);
}

/// Ids that differ, so that experts and rows of tables do.
std::vector<TokenId> random_tokens(int64_t n, int64_t vocab, uint64_t seed) {
  std::vector<TokenId> ids;
  uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
  for (int64_t i = 0; i < n; ++i) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    ids.push_back(static_cast<TokenId>((x >> 33) % static_cast<uint64_t>(vocab)));
  }
  return ids;
}

class Runner {
 public:
  Runner(const Model& model, const BenchOptions& o, const EngineOptions& engine)
      : o_(o), engine_(model.graph, model.weights, engine) {}

  Engine& engine() { return engine_; }

  double prefill(uint64_t seed, bool profile = false) {
    open(1, seed);
    engine_.profile(profile);
    return evaluate(random_tokens(o_.prompt, engine_.vocab(), seed + 1), 0);
  }
  double decode(uint64_t seed, bool profile = false) {
    open(o_.sequences, seed);
    engine_.profile(profile);
    const std::vector<TokenId> ids =
        random_tokens(o_.generate * o_.sequences, engine_.vocab(), seed + 2);
    size_t at = 0;
    return timed(
        [&] {
          std::vector<Run> runs;
          for (const SequenceId s : sequences_)
            runs.push_back({s, std::span<const TokenId>(ids).subspan(at++, 1)});
          engine_.step(runs);
        },
        o_.generate);
  }
  /// Seconds of a step that evaluates a token and so many guesses, all of which are wrong.
  double verify(uint64_t seed, int64_t guesses) {
    open(o_.sequences, seed);
    engine_.profile(false);
    const auto tokens = random_tokens(guesses + 1, engine_.vocab(), seed + 3);
    const auto step = [&] {
      std::vector<Run> runs;
      for (const SequenceId s : sequences_)
        runs.push_back({.sequence = s,
                        .tokens = tokens,
                        .logits = Run::Logits::all,
                        .alone = o_.sequences == 1});
      engine_.step(runs);
      for (const SequenceId s : sequences_) engine_.truncate(s, engine_.length(s) - guesses);
    };
    return timed(step, o_.generate) / static_cast<double>(o_.generate);
  }

 private:
  /// Sequences 0 .. n - 1 hold `depth` tokens after this. What they held stays where it can, since
  /// a long past takes longer to evaluate than what is measured after it.
  void open(int64_t n, uint64_t seed) {
    for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
      if (i < sequences_.size() && engine_.can_truncate(sequences_[i], o_.depth)) {
        engine_.truncate(sequences_[i], o_.depth);
        continue;
      }
      if (i < sequences_.size()) engine_.close(sequences_[i]);
      const auto id = engine_.open();
      if (!id) fail(ErrorKind::resource, "the engine opens no more sequences");
      if (i == sequences_.size()) sequences_.push_back(*id);
      sequences_[i] = *id;
      if (o_.depth > 0) evaluate(random_tokens(o_.depth, engine_.vocab(), seed + i + 7), i);
    }
  }
  double evaluate(const std::vector<TokenId>& ids, size_t sequence) {
    const Run run{sequences_[sequence], ids};
    return timed([&] { engine_.step({&run, 1}); });
  }

  const BenchOptions& o_;
  Engine engine_;
  std::vector<SequenceId> sequences_;
};

std::vector<BenchPart> parts_of(Runner& runner, double calls, const Phase& planned) {
  std::map<std::string, BenchPart> parts;
  const Plan& plan = runner.engine().plan();
  const auto profile = runner.engine().profile();
  for (size_t i = 0; i < profile.size() && i < plan.steps.size(); ++i) {
    BenchPart& part = parts[group_of(plan, plan.steps[i])];
    part.seconds += profile[i].seconds / calls;
    part.weight_bytes += static_cast<double>(profile[i].weight_bytes) / calls;
    part.operations += static_cast<double>(profile[i].operations) / calls;
  }
  for (const auto& [name, p] : planned.by_part) {
    BenchPart& part = parts[name];
    part.planned_limit_seconds = p.limit_seconds;
    part.planned_today_seconds = p.today_seconds;
    const double barriers = p.limit_seconds - p.bandwidth_seconds - p.compute_seconds;
    const double most = std::max({p.bandwidth_seconds, p.compute_seconds, barriers});
    part.bound_by = most == barriers            ? "steps"
                    : most == p.compute_seconds ? "compute"
                                                : "bandwidth";
  }
  std::vector<BenchPart> list;
  for (auto& [name, part] : parts) {
    part.name = name;
    part.of_limit = part.seconds > 0 ? part.planned_limit_seconds / part.seconds : 0;
    list.push_back(part);
  }
  std::sort(list.begin(), list.end(),
            [](const BenchPart& a, const BenchPart& b) { return a.seconds > b.seconds; });
  return list;
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Median seconds.
double summarise(BenchPhase& phase) {
  const auto [first, last] = std::minmax_element(phase.seconds.begin(), phase.seconds.end());
  const double median = median_of(phase.seconds), tokens = static_cast<double>(phase.tokens);
  phase.tokens_per_second = tokens / median;
  phase.least = tokens / *last;
  phase.most = tokens / *first;
  return median;
}

void summarise(BenchPhase& phase, const Phase& planned, double steps, const Machine& machine,
               Format most) {
  const double median = summarise(phase);
  phase.bytes_per_second = (planned.weight_bytes + planned.state_bytes) * steps / median;
  phase.operations_per_second = planned.operations * steps / median;
  phase.of_bandwidth = phase.bytes_per_second / machine.bandwidth(1e30);
  phase.of_compute = phase.operations_per_second / machine.peak(most);
  phase.planned_limit = planned.limit.tokens_per_second;
  phase.planned_today = planned.today ? planned.today->tokens_per_second : 0;
}

EngineOptions engine_for(const BenchOptions& o) {
  constexpr int64_t kMost = int64_t{1} << 24;
  check_range(o.prompt, 1, kMost, "prompt");
  check_range(o.generate, 1, kMost, "generate");
  check_range(o.depth, 0, kMost, "depth");
  check_range(o.sequences, 1, 4096, "sequences");
  check_range(o.repeat, 1, 1000, "repeat");
  check_range(o.draft_tokens, 0, 1000, "draft_tokens");
  EngineOptions engine = o.engine;
  engine.context = o.depth + std::max(o.prompt, o.generate + o.draft_tokens);
  engine.sequences = o.sequences;
  return engine;
}

BenchDrafting drafting(Runner& runner, const BenchOptions& o, const BenchPhase& decode) {
  if (!runner.engine().can_go_back()) {
    fail(
        ErrorKind::unsupported,
        "`draft_tokens`: this model's recurrent layers cannot go back to an earlier token, so that "
        "it cannot draft");
  }
  std::vector<double> seconds;
  for (int i = 0; i < o.repeat; ++i)
    seconds.push_back(runner.verify(static_cast<uint64_t>(i) * 31, o.draft_tokens));
  BenchDrafting d{.tokens = o.draft_tokens, .seconds = median_of(std::move(seconds))};
  const double step = median_of(decode.seconds) / static_cast<double>(o.generate);
  d.break_even = d.seconds / step - 1;
  return d;
}

BenchDrafts drafts(const Model& model, const BenchOptions& o, EngineOptions made) {
  made.context = o.prompt + o.generate;
  made.sequences = 1;
  Engine engine = engine_of(model, made, o.draft == "mtp");
  const std::shared_ptr<Drafter> drafter = o.drafter(engine);
  GenerateOptions options{.max_tokens = o.generate, .ignore_end = true};
  if (o.draft_tokens > 0) options.draft_tokens = o.draft_tokens;
  BenchDrafts d{.drafter = o.draft, .tokens = options.draft_tokens};
  std::vector<double> with, without;
  for (int i = 0; i < o.repeat; ++i) {
    const auto prompt = random_tokens(o.prompt, engine.vocab(), static_cast<uint64_t>(i) * 31 + 1);
    for (const bool drafting : {false, true}) {
      options.drafter = drafting ? drafter : nullptr;
      Generator generator(engine, nullptr, {});
      const Generation g = generator.generate(prompt, options);
      (drafting ? with : without).push_back(g.decode_tokens_per_second());
      d.drafted_tokens += g.drafted_tokens;
      d.accepted_tokens += g.accepted_tokens;
    }
  }
  d.tokens_per_second = median_of(std::move(with));
  d.without_per_second = median_of(std::move(without));
  return d;
}

}  // namespace

RunProfile profile_steps(const Model& model, const BenchOptions& o) {
  Runner runner(model, o, engine_for(o));
  const auto steps = [&] {
    const auto profile = runner.engine().profile();
    return std::vector<StepProfile>(profile.begin(), profile.end());
  };
  RunProfile p{.model = model.blueprint.name.empty() ? model.source : model.blueprint.name,
               .options = o};
  runner.prefill(1);  // warms caches, pages and clocks
  runner.prefill(5, true);
  p.prefill = steps();
  runner.decode(5, true);
  p.decode = steps();
  return p;
}

BenchResult bench(const Model& model, const BenchOptions& o) {
  const EngineOptions engine = engine_for(o);
  Runner runner(model, o, engine);
  const auto progress = [&](double done) {
    if (o.progress) o.progress(done);
  };

  BenchResult r;
  r.model = model.blueprint.name.empty() ? model.source : model.blueprint.name;
  r.options = o;
  r.threads = runner.engine().threads();
  r.kernels = std::string(runner.engine().kernels());
  r.state = runner.engine().state_format();
  r.state_bytes = runner.engine().state_bytes();
  r.activation_bytes = runner.engine().activation_bytes();
  std::map<Format, int64_t> bytes;
  // What the graph reads: a multi-token prediction layer may lie beside it.
  for (const Param& p : model.graph.params()) {
    const Tensor& t = model.weights.at(p.name);
    bytes[t.format] += t.bytes();
    r.weight_bytes += t.bytes();
  }
  Format most = Format::f32;
  ProbeOptions probing{.threads = r.threads,
                       .kernels = r.kernels,
                       .f32_activations = engine.f32_activations,
                       .packed_weights = engine.packed_weights};
  for (const auto& [format, n] : bytes) {
    probing.formats.push_back(format);
    if (n > bytes[most]) most = format;
  }
  if (!o.speed_only) {
    r.machine = quick_probe(r.threads);
    probe_kernels(r.machine, probing);
  }
  progress(0.2);

  runner.prefill(1);  // warms caches, pages and clocks
  r.prefill.tokens = o.prompt;
  r.decode.tokens = o.generate * o.sequences;
  for (int i = 0; i < o.repeat; ++i) {
    r.prefill.seconds.push_back(runner.prefill(static_cast<uint64_t>(i) * 31));
    r.decode.seconds.push_back(runner.decode(static_cast<uint64_t>(i) * 31));
    progress(0.2 + 0.6 * (i + 1) / o.repeat);
  }

  if (o.draft_tokens > 0) r.drafting = drafting(runner, o, r.decode);
  if (o.drafter) r.drafts = drafts(model, o, engine);
  if (o.speed_only) {
    summarise(r.prefill);
    summarise(r.decode);
    progress(1);
    return r;
  }
  PredictOptions plan{.context = engine.context,
                      .sequences = o.sequences,
                      .depth = o.depth,
                      .prompt = o.prompt,
                      .generate = o.generate,
                      .decode_from = o.depth,
                      .formats = formats_of(model.weights),
                      .state = r.state,
                      .packed_weights = engine.packed_weights,
                      .alternatives = false};
  const Prediction p = predict(model.blueprint, r.machine, plan);
  summarise(r.prefill, p.prefill, 1, r.machine, most);
  summarise(r.decode, p.decode, static_cast<double>(o.generate), r.machine, most);

  runner.prefill(5, true);
  r.prefill.parts = parts_of(runner, 1, p.prefill);
  runner.decode(5, true);
  r.decode.parts = parts_of(runner, static_cast<double>(o.generate), p.decode);
  progress(1);
  return r;
}

}  // namespace ashlar
