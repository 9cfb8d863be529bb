// Checks what is asked, cuts it into chunks, and keeps the books of sequences.
#include "run/engine.h"

#include <algorithm>
#include <new>
#include <thread>

#include "base/error.h"
#include "run/thread_pool.h"

namespace ashlar {
namespace {

int default_threads() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

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
  if (*o.state != Format::f32 && *o.state != Format::f16 && *o.state != Format::bf16) {
    fail(ErrorKind::invalid, "engine: keys and values as {}: expected f32, f16 or bf16",
         info(*o.state).name);
  }
  int64_t all = 0;
  if (!__builtin_mul_overflow(o.context, o.sequences, &all)) o.chunk = std::min(o.chunk, all);
  return o;
}

PlanOptions plan_options(const EngineOptions& o) {
  return {.f32_activations = o.f32_activations,
          .latents = o.latents,
          .packed_weights = o.packed_weights};
}

/// Room for logits of one row per sequence of a step; more are made where more are wanted.
int64_t logits_room(const Plan& plan, const EngineOptions& o) {
  return std::min(o.sequences, o.chunk) * plan.width_out;
}

}  // namespace

EngineBytes engine_bytes(const Graph& graph, const Weights& weights, const EngineOptions& options) {
  const EngineOptions o = checked(options, weights);
  return engine_bytes(
      make_plan(graph, weights, kernels::table(o.kernels), o.chunk, plan_options(o)), o);
}

EngineBytes engine_bytes(const Plan& plan, const EngineOptions& options) {
  const EngineOptions o = checked(options, {});
  return {.activations = executor_bytes(plan, *o.state, o.context).all(o.threads) +
                         logits_room(plan, o) * static_cast<int64_t>(sizeof(float)),
          .copies = plan.weights.made_bytes()};
}

struct Engine::Impl {
  EngineOptions options;
  ThreadPool pool;
  Plan plan;
  StatePool state;
  Executor executor;
  StepBatch batch;
  std::vector<StatePool::Growth> growth;
  std::vector<float> logits;

  Impl(const Graph& graph, const Weights& weights, const EngineOptions& o)
      : options(checked(o, weights)),
        pool(options.threads),
        plan(make_plan(graph, weights, kernels::table(options.kernels), options.chunk,
                       plan_options(options))),
        state(plan.states, *options.state,
              {options.context, options.chunk, options.sequences, options.held_tokens},
              *plan.table),
        executor(plan, pool, state, options.context) {
    if (!plan.graph.type(plan.graph.output()).per_token())
      fail(ErrorKind::invalid, "engine: the graph's output has no row per token");
    const auto room = static_cast<size_t>(options.chunk);
    batch.tokens.reserve(room);
    batch.positions.reserve(room);
    batch.part_of.reserve(room);
    batch.wanted.reserve(room);
    batch.parts.reserve(static_cast<size_t>(std::min(options.sequences, options.chunk)));
    growth.reserve(static_cast<size_t>(options.sequences));
    logits.resize(static_cast<size_t>(logits_room(plan, options)));
  }

  void check(std::span<const Run> runs) const {
    for (size_t i = 0; i < runs.size(); ++i) {
      const Run& run = runs[i];
      if (!state.is_open(run.sequence))
        fail(ErrorKind::invalid, "engine: sequence {} is not open", run.sequence);
      for (size_t j = 0; j < i; ++j) {
        if (runs[j].sequence == run.sequence)
          fail(ErrorKind::invalid, "engine: sequence {} has two runs in one step", run.sequence);
      }
      const int64_t end = state.length(run.sequence) + static_cast<int64_t>(run.tokens.size());
      if (end > options.context) {
        fail(ErrorKind::resource,
             "the sequence holds {} tokens and {} more exceed the context of {}: choose a larger "
             "--context",
             state.length(run.sequence), run.tokens.size(), options.context);
      }
      if (plan.positions > 0 && end > plan.positions) {
        fail(ErrorKind::invalid, "position {}: the model has learned positions 0 to {} only",
             end - 1, plan.positions - 1);
      }
      if (plan.vocab_in == 0) continue;
      for (const TokenId id : run.tokens) {
        if (id < 0 || id >= plan.vocab_in)
          fail(ErrorKind::invalid, "token id {}: expected 0 to {}", id, plan.vocab_in - 1);
      }
    }
  }

  void reserve(std::span<const Run> runs) {
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
  }

  /// Adds up to the chunk's room of the run's tokens from `at` on; gives how many.
  int64_t add_part(const Run& run, int64_t at) {
    const auto length = static_cast<int64_t>(run.tokens.size());
    const int64_t count = std::min(length - at, options.chunk - batch.size());
    const int64_t first = state.length(run.sequence);
    const auto part = static_cast<int32_t>(batch.parts.size());
    batch.parts.push_back(
        {run.sequence, first, batch.size(), count, run.tokens.data(), at, length});
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

  void evaluate(int64_t& rows_done) {
    if (batch.size() == 0) return;
    for (const StepBatch::Part& p : batch.parts) state.prepare(p.sequence, p.count);
    try {
      executor.run(batch, logits.data() + rows_done * plan.width_out);
    } catch (...) {
      for (const StepBatch::Part& p : batch.parts) state.abandon(p.sequence);
      throw;
    }
    for (const StepBatch::Part& p : batch.parts) state.extend(p.sequence, p.count);
    rows_done += batch.rows(RowSet::wanted);
    clear_batch();
  }

  std::span<const float> step(std::span<const Run> runs, const std::function<bool()>& interrupted) {
    check(runs);
    int64_t rows = 0;
    for (const Run& run : runs) rows += wanted_rows(run);
    const auto floats = static_cast<size_t>(rows * plan.width_out);
    try {
      if (logits.size() < floats) logits.resize(floats);
    } catch (const std::exception&) {
      fail(ErrorKind::resource,
           "logits of {} tokens need {} bytes of memory, which are not available: ask for fewer at "
           "once",
           rows, floats * sizeof(float));
    }
    reserve(runs);
    int64_t done = 0;
    clear_batch();
    for (const Run& run : runs) {
      for (int64_t at = 0; at < static_cast<int64_t>(run.tokens.size());) {
        at += add_part(run, at);
        if (batch.size() < options.chunk) continue;
        if (interrupted && interrupted()) return {};
        evaluate(done);
      }
    }
    if (interrupted && interrupted()) return {};
    evaluate(done);
    return {logits.data(), floats};
  }
};

Engine::Engine(const Graph& graph, const Weights& weights, const EngineOptions& options)
    : impl_(std::make_unique<Impl>(graph, weights, options)) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;

std::optional<SequenceId> Engine::open() { return impl_->state.open(); }

void Engine::close(SequenceId sequence) {
  if (impl_->state.is_open(sequence)) impl_->state.close(sequence);
}

std::optional<SequenceId> Engine::fork(SequenceId sequence) {
  if (!impl_->state.is_open(sequence))
    fail(ErrorKind::invalid, "engine: sequence {} is not open", sequence);
  return impl_->state.fork(sequence);
}

int64_t Engine::length(SequenceId sequence) const {
  if (!impl_->state.is_open(sequence))
    fail(ErrorKind::invalid, "engine: sequence {} is not open", sequence);
  return impl_->state.length(sequence);
}

bool Engine::can_truncate(SequenceId sequence, int64_t length) const {
  return impl_->state.is_open(sequence) && impl_->state.can_truncate(sequence, length);
}

void Engine::truncate(SequenceId sequence, int64_t length) {
  if (!can_truncate(sequence, length)) {
    fail(ErrorKind::invalid, "engine: sequence {} cannot go back to {} tokens{}", sequence, length,
         impl_->state.is_open(sequence) ? ": that is not its past, or its state no longer has it"
                                        : "");
  }
  impl_->state.truncate(sequence, length);
}

std::span<const float> Engine::step(std::span<const Run> runs,
                                    const std::function<bool()>& interrupted) {
  return impl_->step(runs, interrupted);
}

int64_t Engine::vocab() const { return impl_->plan.width_out; }
int64_t Engine::context() const { return impl_->options.context; }
int Engine::threads() const { return impl_->pool.size(); }
std::string_view Engine::kernels() const { return impl_->plan.table->name; }
int64_t Engine::state_bytes() const { return impl_->state.bytes(); }
int64_t Engine::activation_bytes() const {
  return impl_->executor.bytes() + static_cast<int64_t>(impl_->logits.capacity() * sizeof(float));
}
Format Engine::state_format() const { return impl_->state.format(); }

void Engine::profile(bool on) { impl_->executor.profile(on); }
std::span<const StepProfile> Engine::profile() const { return impl_->executor.profile(); }
const Plan& Engine::plan() const { return impl_->plan; }

}  // namespace ashlar
