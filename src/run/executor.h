// Runs a plan's steps on all threads.
//
// A step is over when its last task is done, not when every thread has been there: a thread that
// the system has put aside holds nobody up unless it is in the middle of a task.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "base/mapped_memory.h"
#include "base/thread_pool.h"
#include "run/frame.h"

namespace ashlar {

/// What one step of a plan took since the profile began.
struct StepProfile {
  std::string name;  // "layers.3.attn.q+k+v"
  std::string op;    // of its first node: "linear"
  int64_t calls = 0;
  double seconds = 0;
  int64_t weight_bytes = 0;  // read from weights
  int64_t operations = 0;    // that its ops count (a multiply-add is two)
};

/// What an executor of the plan needs.
struct ExecutorBytes {
  int64_t arena = 0, partials = 0, scratch = 0;  // scratch: of each thread
  int64_t all(int threads) const { return arena + partials + scratch * threads; }
};
ExecutorBytes executor_bytes(const Plan& plan, Format state, int64_t context, int64_t sequences);

class Executor {
 public:
  /// For up to `sequences` sequences of up to `context` tokens. Throws Error(resource) when memory
  /// does not suffice. `pool` and `state` outlive this.
  Executor(const Plan& plan, ThreadPool& pool, StatePool& state, int64_t context,
           int64_t sequences);

  /// Evaluates the batch; `outputs` take its wanted rows, one for each of the plan's. Throws only
  /// what an op without a lowering throws.
  void run(const StepBatch& batch, float* const* outputs) {
    run(batch, outputs, 0, plan_.steps.size());
  }
  /// Of the plan's steps those from `begin` to `end`.
  void run(const StepBatch& batch, float* const* outputs, size_t begin, size_t end);
  /// As run(), step by step, up to the first step whose result is not finite: its index; -1: none.
  int32_t run_until_not_finite(const StepBatch& batch, float* const* outputs);

  int64_t bytes() const { return bytes_.all(pool_.size()); }  // allocated

  void profile(bool on);
  const std::vector<StepProfile>& profile() const { return profile_; }

 private:
  struct Job;
  static void work(void* job, int thread);
  Frame frame_of(const StepBatch& batch, float* const* outputs);
  void run_steps(const Frame& frame, size_t begin, size_t end);
  int32_t count_tasks(const Frame& f, size_t step);
  void run_task_of(const Frame& f, const Step& step, int64_t task, std::byte* scratch);
  void account(size_t step, double seconds, const StepBatch& batch);

  const Plan& plan_;
  ThreadPool& pool_;
  StatePool& state_;
  const int64_t context_;
  ExecutorBytes bytes_;
  MappedMemory memory_;  // arena, sums of parts, then scratch of each thread
  std::unique_ptr<std::atomic<int32_t>[]> done_;  // parts, by piece of attention's output
  Shares shares_;                                 // of the tasks of the step that runs
  uint64_t round_ = 1;                            // of the first step's shares, in this run
  ExpertGroups groups_;
  /// Of one step while it runs.
  struct alignas(64) Progress {
    std::atomic<int32_t> count{kUnknown};  // tasks
    std::atomic<int32_t> done{0};
  };
  static constexpr int32_t kUnknown = -1;
  std::unique_ptr<Progress[]> progress_;
  std::vector<StepProfile> profile_;
  std::exception_ptr failure_;  // of an op without a lowering: its one task alone may throw
};

}  // namespace ashlar
