// Checks what is asked, cuts it into chunks, and keeps the list of sequences.
#include "run/engine.h"

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/thread_pool.h"
#include "run/lowered.h"
#include "run/state_format.h"

namespace ashlar {
namespace {

Format default_state(const Weights& weights, bool f32_activations) {
  if (f32_activations) return Format::f32;
  for (const auto& [name, tensor] : weights)
    if (tensor.format != Format::f32) return Format::f16;
  return Format::f32;
}

EngineOptions checked(EngineOptions o, const Weights& weights) {
  constexpr int64_t kMost = int64_t{1} << 31;
  constexpr int kMostThreads = 1024;
  const auto range = [](std::string_view name, int64_t value, int64_t most) {
    if (value < 1 || value > most)
      fail(ErrorKind::invalid, "engine: {}: expected 1 to {}, found {}", name, most, value);
  };
  range("context", o.context, kMost - 1);
  range("sequences", o.sequences, 1 << 20);
  range("chunk", o.chunk, kMost - 1);
  if (o.held_tokens != 0) range("held_tokens", o.held_tokens, int64_t{1} << 51);
  if (o.threads == 0) o.threads = default_threads();
  range("threads", o.threads, kMostThreads);
  if (!o.state) o.state = default_state(weights, o.f32_activations);
  if (!is_state_format(*o.state)) {
    fail(ErrorKind::invalid, "engine: keys and values as {}: expected f32, f16, bf16 or q8_0",
         info(*o.state).name);
  }
  int64_t all = 0;
  if (!__builtin_mul_overflow(o.context, o.sequences, &all)) o.chunk = std::min(o.chunk, all);
  return o;
}

}  // namespace

EngineBytes engine_bytes(const Graph& graph, const Weights& weights, const EngineOptions& options) {
  const EngineOptions o = checked(options, weights);
  return engine_bytes(
      make_plan(graph, weights, kernels::table(o.kernels), o.chunk, plan_options(o)), o);
}

EngineBytes engine_bytes(const Plan& plan, const EngineOptions& options) {
  const EngineOptions o = checked(options, {});
  int64_t outputs = 0;
  for (const RowsOutside& output : plan.outputs) outputs += first_rows(o) * output.width;
  return {.activations = executor_bytes(plan, *o.state, o.context, o.sequences).all(o.threads) +
                         outputs * static_cast<int64_t>(sizeof(float)),
          .copies = plan.weights.made_bytes()};
}

struct Engine::Impl {
  EngineOptions options;
  ThreadPool pool;
  std::vector<std::unique_ptr<Lowered>> graphs;
  StepBatch batch;
  std::vector<StatePool::Growth> growth;

  Impl(std::span<const Graph> all, const Weights& weights, const EngineOptions& o)
      : options(checked(o, weights)),
        pool(options.threads, options.pinned ? Pinning::helpers : Pinning::none) {
    if (all.empty()) fail(ErrorKind::invalid, "engine: expected one graph or more, found none");
    for (const Graph& graph : all)
      graphs.push_back(std::make_unique<Lowered>(graph, weights, options, pool));
    const auto room = static_cast<size_t>(options.chunk);
    batch.tokens.reserve(room);
    batch.positions.reserve(room);
    batch.part_of.reserve(room);
    batch.wanted.reserve(room);
    batch.parts.reserve(static_cast<size_t>(std::min(options.sequences, options.chunk)));
    growth.reserve(static_cast<size_t>(options.sequences));
  }

  Lowered& at(GraphId graph) const {
    if (graph < 0 || static_cast<size_t>(graph) >= graphs.size())
      fail(ErrorKind::invalid, "engine: graph {}: expected 0 to {}", graph, graphs.size() - 1);
    return *graphs[static_cast<size_t>(graph)];
  }
  bool is_open(SequenceId sequence) const { return graphs[0]->state.is_open(sequence); }
  void check_open(SequenceId sequence) const {
    if (!is_open(sequence)) fail(ErrorKind::invalid, "engine: sequence {} is not open", sequence);
  }

  void check(std::span<const Run> runs, const Lowered& g) const {
    const StatePool& state = g.state;
    const Plan& plan = g.plan;
    for (size_t i = 0; i < runs.size(); ++i) {
      const Run& run = runs[i];
      check_open(run.sequence);
      for (size_t j = 0; j < i; ++j) {
        if (runs[j].sequence == run.sequence)
          fail(ErrorKind::invalid, "engine: sequence {} has two runs in one step", run.sequence);
      }
      const int64_t end = state.length(run.sequence) + static_cast<int64_t>(run.tokens.size());
      if (end > options.context) {
        fail(ErrorKind::resource,
             "the sequence holds {} tokens and {} more exceed the context of {}: choose a larger "
             "`context`",
             state.length(run.sequence), run.tokens.size(), options.context);
      }
      if (plan.positions > 0 && end > plan.positions) {
        fail(ErrorKind::invalid, "position {}: the model has learned positions 0 to {} only",
             end - 1, plan.positions - 1);
      }
      if (run.given.size() != plan.given.size()) {
        fail(ErrorKind::invalid, "engine: the graph takes {} values from outside, found {}",
             plan.given.size(), run.given.size());
      }
      for (size_t k = 0; k < run.given.size(); ++k) {
        const size_t wanted = run.tokens.size() * static_cast<size_t>(plan.given[k].width);
        if (run.given[k].size() == wanted) continue;
        fail(ErrorKind::invalid, "given {}: expected {} numbers for each of {} tokens, found {}",
             plan.given[k].name, plan.given[k].width, run.tokens.size(), run.given[k].size());
      }
      if (plan.vocab_in == 0) continue;
      for (const TokenId id : run.tokens) {
        if (id < 0 || id >= plan.vocab_in)
          fail(ErrorKind::invalid, "token id {}: expected 0 to {}", id, plan.vocab_in - 1);
      }
    }
  }

  void reserve(std::span<const Run> runs, StatePool& state) {
    growth.clear();
    for (const Run& run : runs)
      growth.push_back({run.sequence, static_cast<int64_t>(run.tokens.size())});
    if (state.reserve(growth)) return;
    int64_t tokens = 0;
    for (const StatePool::Growth& g : growth) tokens += g.tokens;
    const StatePool::Pages pages = state.pages();
    fail(ErrorKind::resource,
         "{} more tokens need more pages of state than are free ({} of {} are held): close a "
         "sequence, or make room for more tokens",
         tokens, pages.held, pages.all);
  }

  static int64_t wanted_rows(const Run& run) {
    const auto n = static_cast<int64_t>(run.tokens.size());
    return run.logits == Run::Logits::none   ? 0
           : run.logits == Run::Logits::last ? std::min<int64_t>(n, 1)
                                             : n;
  }

  void clear_batch() {
    batch.parts.clear();
    batch.tokens.clear();
    batch.positions.clear();
    batch.part_of.clear();
    batch.wanted.clear();
    batch.alone = options.deterministic;
    batch.every_row = false;
  }

  /// Adds up to the chunk's room of the run's tokens from `at` on; gives how many.
  int64_t add_part(const Run& run, int64_t at, const StatePool& state) {
    const auto length = static_cast<int64_t>(run.tokens.size());
    const int64_t count = std::min(length - at, options.chunk - batch.size());
    const int64_t first = state.length(run.sequence);
    const auto part = static_cast<int32_t>(batch.parts.size());
    batch.alone = batch.alone || run.alone;
    batch.every_row = batch.every_row || run.every_row;
    batch.parts.push_back(
        {run.sequence, first, batch.size(), count, run.given, run.tokens.data(), at, length});
    for (int64_t i = 0; i < count; ++i) {
      const bool last = at + i + 1 == length;
      if (run.logits == Run::Logits::all || (run.logits == Run::Logits::last && last))
        batch.wanted.push_back(static_cast<int32_t>(batch.size()));
      batch.tokens.push_back(run.tokens[static_cast<size_t>(at + i)]);
      batch.positions.push_back(static_cast<int32_t>(first + i));
      batch.part_of.push_back(part);
    }
    return count;
  }

  void evaluate(Lowered& g) {
    if (batch.size() == 0) return;
    for (const StepBatch::Part& p : batch.parts) g.state.prepare(p.sequence, p.count);
    try {
      g.run(batch);
    } catch (...) {
      for (const StepBatch::Part& p : batch.parts) g.state.abandon(p.sequence);
      throw;
    }
    for (const StepBatch::Part& p : batch.parts) g.state.extend(p.sequence, p.count);
    clear_batch();
  }

  /// In an empty sequence: the name of the first step whose result is not finite; empty: none.
  std::string first_not_finite(SequenceId sequence, std::span<const TokenId> tokens, Lowered& g) {
    const Run run{.sequence = sequence, .tokens = tokens};
    check({&run, 1}, g);
    reserve({&run, 1}, g.state);
    g.begin(1, 1);
    clear_batch();
    int32_t found = -1;
    for (int64_t at = 0; at < static_cast<int64_t>(tokens.size()) && found < 0;) {
      at += add_part(run, at, g.state);
      g.state.prepare(sequence, batch.size());
      found = g.executor.run_until_not_finite(batch, g.place().data());
      g.state.extend(sequence, batch.size());
      clear_batch();
    }
    return found < 0 ? "" : g.plan.steps[static_cast<size_t>(found)].name;
  }

  std::span<const float> step(std::span<const Run> runs, const std::function<bool()>& interrupted,
                              Lowered& g) {
    check(runs, g);
    int64_t rows = 0, tokens = 0;
    bool every = false;
    for (const Run& run : runs) {
      rows += wanted_rows(run);
      tokens += static_cast<int64_t>(run.tokens.size());
      every = every || run.every_row;
    }
    g.begin(rows, every ? tokens : rows);
    reserve(runs, g.state);
    clear_batch();
    for (const Run& run : runs) {
      for (int64_t at = 0; at < static_cast<int64_t>(run.tokens.size());) {
        at += add_part(run, at, g.state);
        if (batch.size() < options.chunk) continue;
        if (interrupted && interrupted()) return {};
        evaluate(g);
      }
    }
    if (interrupted && interrupted()) return {};
    evaluate(g);
    return g.output(0);
  }
};

Engine::Engine(const Graph& graph, const Weights& weights, const EngineOptions& options)
    : Engine(std::span(&graph, 1), weights, options) {}
Engine::Engine(std::span<const Graph> graphs, const Weights& weights, const EngineOptions& options)
    : impl_(std::make_unique<Impl>(graphs, weights, options)) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;

std::optional<SequenceId> Engine::open() {
  std::optional<SequenceId> made;
  for (const auto& g : impl_->graphs) made = g->state.open();  // all the same
  return made;
}

void Engine::close(SequenceId sequence) {
  if (!impl_->is_open(sequence)) return;
  for (const auto& g : impl_->graphs) g->state.close(sequence);
}

std::optional<SequenceId> Engine::fork(SequenceId sequence) {
  impl_->check_open(sequence);
  std::optional<SequenceId> made;
  for (const auto& g : impl_->graphs) made = g->state.fork(sequence);
  return made;
}

int64_t Engine::length(SequenceId sequence, GraphId graph) const {
  impl_->check_open(sequence);
  return impl_->at(graph).state.length(sequence);
}

bool Engine::can_truncate(SequenceId sequence, int64_t length, GraphId graph) const {
  return impl_->is_open(sequence) && impl_->at(graph).state.can_truncate(sequence, length);
}

bool Engine::can_go_back(GraphId graph) const {
  const std::vector<StatePlan>& states = impl_->at(graph).plan.states;
  return std::none_of(states.begin(), states.end(),
                      [](const StatePlan& s) { return s.spec.fixed > 0; });
}

void Engine::truncate(SequenceId sequence, int64_t length, GraphId graph) {
  if (!can_truncate(sequence, length, graph)) {
    fail(ErrorKind::invalid, "engine: sequence {} cannot go back to {} tokens{}", sequence, length,
         impl_->is_open(sequence) ? ": that is not its past, or its state no longer has it" : "");
  }
  impl_->at(graph).state.truncate(sequence, length);
}

std::span<const float> Engine::step(std::span<const Run> runs,
                                    const std::function<bool()>& interrupted, GraphId graph) {
  return impl_->step(runs, interrupted, impl_->at(graph));
}

std::span<const float> Engine::output(std::string_view name, GraphId graph) const {
  const Lowered& g = impl_->at(graph);
  for (size_t i = 0; i < g.plan.outputs.size(); ++i)
    if (g.plan.outputs[i].name == name) return g.output(i);
  fail(ErrorKind::invalid, "engine: graph {} has no output {}", graph, name);
}

std::vector<float> Engine::take_rows(GraphId graph) { return impl_->at(graph).take(0); }

std::string Engine::first_not_finite(std::span<const TokenId> tokens) {
  Lowered& g = impl_->at(0);
  if (!g.plan.given.empty()) return "";
  const auto sequence = open();
  if (!sequence) return "";
  const std::string name = impl_->first_not_finite(*sequence, tokens, g);
  close(*sequence);
  return name;
}

int64_t Engine::vocab() const { return plan().outputs[0].width; }
int64_t Engine::context() const { return impl_->options.context; }
int64_t Engine::chunk() const { return impl_->options.chunk; }
int Engine::threads() const { return impl_->pool.size(); }
std::string_view Engine::kernels() const { return plan().table->name; }
int64_t Engine::state_bytes() const {
  int64_t bytes = 0;
  for (const auto& g : impl_->graphs) bytes += g->state.bytes();
  return bytes;
}
int64_t Engine::activation_bytes() const {
  int64_t bytes = 0;
  for (const auto& g : impl_->graphs) {
    bytes += g->executor.bytes() + g->output_bytes();
  }
  return bytes;
}
Format Engine::state_format() const { return impl_->graphs[0]->state.format(); }

void Engine::profile(bool on) {
  for (const auto& g : impl_->graphs) g->executor.profile(on);
}
std::span<const StepProfile> Engine::profile() const {
  return impl_->graphs[0]->executor.profile();
}
const Plan& Engine::plan(GraphId graph) const { return impl_->at(graph).plan; }

}  // namespace ashlar
