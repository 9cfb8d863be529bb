// Spinning, sleeping and the barrier.
#include "run/thread_pool.h"

#include <algorithm>
#include <system_error>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ashlar {
namespace {

constexpr int kBarrierSpins = 4000;  // some 50 us: longer than a step of a small model
constexpr int kIdleSpins = 20000;    // between two steps of a decoding loop

/// Returns when the value is no longer `old`.
void wait_change(const std::atomic<uint32_t>& value, uint32_t old, int spins) noexcept {
  for (int i = 0; i < spins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    relax_cpu();
  }
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

}  // namespace

void relax_cpu() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

ThreadPool::ThreadPool(int threads) {
  const int wanted = std::max(threads, 1);
  threads_.reserve(static_cast<size_t>(wanted));
  try {
    for (; size_ < wanted; ++size_) threads_.emplace_back([this, id = size_] { loop(id); });
  } catch (const std::system_error&) {
    // The system grants no more threads: those there are do the work.
  }
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  round_.fetch_add(1, std::memory_order_seq_cst);
  round_.notify_all();
  for (std::thread& t : threads_) t.join();
}

void ThreadPool::run(void (*work)(void*, int), void* context) noexcept {
  work_ = work;
  context_ = context;
  round_.fetch_add(1, std::memory_order_seq_cst);
  if (size_ > 1) round_.notify_all();
  work(context, 0);
  barrier();
}

void ThreadPool::barrier() noexcept {
  if (size_ == 1) return;
  const uint32_t phase = phase_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size_) {
    arrived_.store(0, std::memory_order_relaxed);
    // Sequentially consistent: notify_all() looks whether anybody sleeps, and a store that is only
    // released may become visible after that look; a thread that falls asleep in between would
    // never wake.
    phase_.store(phase + 1, std::memory_order_seq_cst);
    phase_.notify_all();
    return;
  }
  wait_change(phase_, phase, kBarrierSpins);
}

void ThreadPool::loop(int thread) noexcept {
  uint32_t round = 0;
  while (true) {
    wait_change(round_, round, kIdleSpins);
    ++round;
    if (stop_) return;
    work_(context_, thread);
    barrier();
  }
}

}  // namespace ashlar
