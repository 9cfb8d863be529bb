// The one facility for parallel work: threads that spin for a moment between pieces of work, then
// sleep; loops dealt out to them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/cpus.h"
#include "base/shares.h"

namespace ashlar {

/// Lets the other hyper-thread work while this one spins.
void relax_cpu() noexcept;

/// A place to wait for a condition on atomics. Whoever makes it true calls wake() after.
///
/// Not std::atomic::wait: libstdc++'s notify looks for sleepers by a load that may pass the store
/// it announces, and a thread that misses both sleeps for ever. Here either the sleeper sees the
/// store or the waker the sleeper, if all four accesses are sequentially consistent.
class Parking {
 public:
  template <class Condition>
  void wait(int spins, Condition condition) {
    for (int i = 0; i < spins; ++i) {
      if (condition()) return;
      relax_cpu();
    }
    std::unique_lock lock(mutex_);
    sleepers_.fetch_add(1);
    woken_.wait(lock, condition);
    sleepers_.fetch_sub(1);
  }
  void wake() {
    if (sleepers_.load() == 0) return;
    { const std::lock_guard lock(mutex_); }  // a sleeper is either asleep by now or has not looked
    woken_.notify_all();
  }

 private:
  std::atomic<int> sleepers_{0};
  std::mutex mutex_;
  std::condition_variable woken_;
};

/// Threads on CPUs of their own. New threads begin on their creator's core and may share it for
/// half a second before the system moves them.
enum class Pinning : uint8_t {
  none,
  helpers,  // all but the caller's thread, whose freedom is not ours to take
  all,      // the caller's too while the pool lives, for measuring
};

/// Not copyable, not movable: threads hold its address. One caller at a time.
class ThreadPool {
 public:
  /// `threads` in all, the caller's among them; fewer when the system grants no more. Pinned to the
  /// CPUs of the caller's affinity mask, physical cores first, unless there are fewer than threads.
  explicit ThreadPool(int threads, Pinning pinning = Pinning::none);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return size_; }

  /// Calls work(context, thread) on every thread, on the caller's as thread 0, and returns when all
  /// are done.
  void run(void (*work)(void* context, int thread), void* context);

  /// Calls f(i, thread) for i in [0, n), on all threads; the first exception is thrown again, and
  /// what had not begun by then is left out.
  void each(int64_t n, const std::function<void(int64_t i, int thread)>& f);

  /// All threads of run() wait here for each other; what one wrote before, all see after.
  void barrier();

  /// Where the threads of run() may wait for each other's work.
  Parking& parking() { return parking_; }

 private:
  struct Freedom;
  struct Loop;
  void loop(int thread);
  void pin(Pinning pinning);

  int size_ = 1;
  alignas(64) std::atomic<uint32_t> round_{0};  // of work; threads wait for a change
  void (*work_)(void*, int) = nullptr;
  void* context_ = nullptr;
  bool stop_ = false;
  alignas(64) std::atomic<int32_t> arrived_{0};
  alignas(64) std::atomic<uint32_t> phase_{0};
  Parking parking_;
  std::vector<std::thread> threads_;
  std::unique_ptr<Shares> shares_;
  uint64_t loops_ = 0;                // of each()
  std::unique_ptr<Freedom> freedom_;  // of the caller, to be given back
};

/// ThreadPool::each on threads that live as long as the call: `threads` of them, 0: the default
/// number, and no more than n.
void parallel_for(int64_t n, const std::function<void(int64_t i, int thread)>& f, int threads = 0);

}  // namespace ashlar
