// Threads of one engine: they spin for a moment between pieces of work, then sleep.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace ashlar {

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
  void run(void (*work)(void* context, int thread), void* context) noexcept;

  /// All threads of run() wait here for each other; what one wrote before, all see after.
  void barrier() noexcept;

 private:
  void loop(int thread) noexcept;

  int size_ = 1;
  alignas(64) std::atomic<uint32_t> round_{0};  // odd and even runs; workers wait for a change
  void (*work_)(void*, int) = nullptr;
  void* context_ = nullptr;
  bool stop_ = false;
  alignas(64) std::atomic<int32_t> arrived_{0};
  alignas(64) std::atomic<uint32_t> phase_{0};
  std::vector<std::thread> threads_;
};

}  // namespace ashlar
