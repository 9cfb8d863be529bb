// Threads of one engine: they spin for a moment between pieces of work, then sleep.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

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

/// Not copyable, not movable: threads hold its address.
class ThreadPool {
 public:
  /// `threads` in all, the caller's among them; fewer when the system grants no more.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return size_; }

  /// Calls work(context, thread) on every thread, on the caller's as thread 0, and returns when all
  /// are done. One caller at a time.
  void run(void (*work)(void* context, int thread), void* context);

  /// All threads of run() wait here for each other; what one wrote before, all see after.
  void barrier();

  /// Where the threads of run() may wait for each other's work.
  Parking& parking() { return parking_; }

 private:
  void loop(int thread);

  int size_ = 1;
  alignas(64) std::atomic<uint32_t> round_{0};  // of work; threads wait for a change
  void (*work_)(void*, int) = nullptr;
  void* context_ = nullptr;
  bool stop_ = false;
  alignas(64) std::atomic<int32_t> arrived_{0};
  alignas(64) std::atomic<uint32_t> phase_{0};
  Parking parking_;
  std::vector<std::thread> threads_;
};

}  // namespace ashlar
