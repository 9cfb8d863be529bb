// The loop over steps: threads take tasks, first their own share, until none is left, then wait
// until all are done.
#include "run/executor.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <type_traits>

#include "base/error.h"
#include "base/round_up.h"
#include "plan/tasks.h"
#include "plan/work.h"

namespace ashlar {
namespace {

constexpr int kSpins = 4000;  // some 50 us: longer than a step of a small model takes

}  // namespace

struct Executor::Job {
  Executor& self;
  const Frame& frame;
  size_t begin, end;  // of the plan's steps
};

ExecutorBytes executor_bytes(const Plan& plan, Format state, int64_t context, int64_t sequences) {
  const int64_t scratch =
      std::max({row_scratch_bytes(plan), product_scratch_bytes(plan), recurrent_scratch_bytes(plan),
                attention_scratch_bytes(plan, state, context), int64_t{64}});
  return {round_up(plan.arena_bytes, 4096),
          round_up(partial_room(plan, context, sequences).floats * 4, 4096),
          round_up(scratch, 4096)};
}

Executor::Executor(const Plan& plan, ThreadPool& pool, StatePool& state, int64_t context,
                   int64_t sequences)
    : plan_(plan),
      pool_(pool),
      state_(state),
      context_(context),
      bytes_(executor_bytes(plan, state.format(), context, sequences)),
      shares_(pool.size()) {
  memory_ = MappedMemory(bytes());
  if (!memory_) {
    fail(ErrorKind::resource,
         "activations of {} tokens need {} bytes of memory, which are not available: choose a "
         "smaller chunk",
         plan.max_tokens, bytes());
  }
  groups_.offsets.resize(static_cast<size_t>(plan.most_experts) + 1);
  groups_.active.resize(static_cast<size_t>(plan.most_experts));
  progress_ = std::make_unique<Progress[]>(plan.steps.size());
  done_ = std::make_unique<std::atomic<int32_t>[]>(
      static_cast<size_t>(partial_room(plan, context, sequences).groups));
}

Frame Executor::frame_of(const StepBatch& batch, float* const* outputs) {
  std::byte* partials = memory_.data() + bytes_.arena;
  return {plan_,          batch,    state_,
          memory_.data(), outputs,  groups_,
          pool_.size(),   context_, {reinterpret_cast<float*>(partials), done_.get()}};
}

void Executor::run(const StepBatch& batch, float* const* outputs, size_t begin, size_t end) {
  const Frame frame = frame_of(batch, outputs);
  run_steps(frame, begin, end);
}

int32_t Executor::run_until_not_finite(const StepBatch& batch, float* const* outputs) {
  const Frame frame = frame_of(batch, outputs);
  for (size_t i = 0; i < plan_.steps.size(); ++i) {
    run_steps(frame, i, i + 1);
    if (!result_is_finite(frame, plan_.steps[i])) return static_cast<int32_t>(i);
  }
  return -1;
}

void Executor::run_steps(const Frame& frame, size_t begin, size_t end) {
  Job job{*this, frame, begin, end};
  for (size_t i = begin; i < end; ++i) {
    progress_[i].count.store(kUnknown, std::memory_order_relaxed);
    progress_[i].done.store(0, std::memory_order_relaxed);
  }
  failure_ = nullptr;
  pool_.run(&Executor::work, &job);
  round_ += plan_.steps.size();
  if (round_ > Shares::kMostRounds) {
    shares_.reset();
    round_ = 1;
  }
  if (failure_) std::rethrow_exception(failure_);
}

/// How many tasks a step has may depend on what earlier steps made (which experts were chosen). The
/// first thread here finds it as it is; one that comes late must not look again, since later steps
/// may have changed it.
int32_t Executor::count_tasks(const Frame& f, size_t step) {
  Progress& p = progress_[step];
  int32_t count = p.count.load(std::memory_order_acquire);
  if (count != kUnknown) return count;
  const Step& s = plan_.steps[step];
  const int64_t found =
      f.batch.rows(s.rows) == 0
          ? 0
          : std::visit([&](const auto& what) { return tasks(f, what, s.rows); }, s.what);
  if (p.count.compare_exchange_strong(count, static_cast<int32_t>(found),
                                      std::memory_order_acq_rel))
    return static_cast<int32_t>(found);
  return count;
}

void Executor::run_task_of(const Frame& f, const Step& step, int64_t task, std::byte* scratch) {
  std::visit(
      [&](const auto& what) {
        if constexpr (std::is_same_v<decltype(what), const MeaningStep&>) {
          try {
            if (!failure_) run_task(f, what, step.rows, task, scratch);
          } catch (...) {
            failure_ = std::current_exception();
          }
        } else {
          run_task(f, what, step.rows, task, scratch);
        }
      },
      step.what);
}

void Executor::work(void* context, int thread) {
  const Job& job = *static_cast<const Job*>(context);
  Executor& self = job.self;
  const Frame& f = job.frame;
  std::byte* scratch =
      f.arena + self.bytes_.arena + self.bytes_.partials + self.bytes_.scratch * thread;
  using Clock = std::chrono::steady_clock;
  const bool profiled = thread == 0 && !self.profile_.empty();
  Clock::time_point begin = profiled ? Clock::now() : Clock::time_point();
  for (size_t i = job.begin; i < job.end; ++i) {
    const Step& step = self.plan_.steps[i];
    Progress& p = self.progress_[i];
    const int32_t count = self.count_tasks(f, i);
    if (count == 0) continue;
    int32_t ran = 0;
    const uint64_t round = self.round_ + i;
    for (int64_t task = 0; (task = self.shares_.take(round, count, thread)) != Shares::kNone; ++ran)
      self.run_task_of(f, step, task, scratch);
    if (ran > 0 && p.done.fetch_add(ran) + ran == count) self.pool_.parking().wake();
    self.pool_.parking().wait(kSpins, [&] { return p.done.load() == count; });
    if (profiled) {
      const Clock::time_point now = Clock::now();
      self.account(i, std::chrono::duration<double>(now - begin).count(), f.batch);
      begin = Clock::now();
    }
  }
}

void Executor::profile(bool on) {
  profile_.clear();
  if (!on) return;
  for (const Step& s : plan_.steps) {
    const Node& first = plan_.graph.nodes()[s.nodes.front()];
    profile_.push_back({.name = s.name, .op = std::string(first.op.name())});
  }
}

void Executor::account(size_t index, double seconds, const StepBatch& batch) {
  StepProfile& p = profile_[index];
  ++p.calls;
  p.seconds += seconds;
  BatchLoad load{.wanted = batch.rows(RowSet::wanted),
                 .state = state_.format(),
                 .threads = pool_.size(),
                 .active_experts = groups_.active_count};
  for (const StepBatch::Part& part : batch.parts) load.all.runs.push_back({part.first, part.count});
  for (const Work& w : work_of(plan_, plan_.steps[index], load).parts) {
    p.weight_bytes += std::llround(w.weight_bytes);
    p.operations += w.operations;
  }
}

}  // namespace ashlar
