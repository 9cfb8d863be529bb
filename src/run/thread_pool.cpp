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
    for (int id = 1; id < wanted; ++id) threads_.emplace_back([this, id] { loop(id); });
  } catch (const std::system_error&) {
    // The system grants no more threads: those there are do the work.
  }
  size_ = static_cast<int>(threads_.size()) + 1;
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  round_.fetch_add(1);
  parking_.wake();
  for (std::thread& t : threads_) t.join();
}

void ThreadPool::run(void (*work)(void*, int), void* context) {
  work_ = work;
  context_ = context;
  round_.fetch_add(1);
  parking_.wake();
  work(context, 0);
  barrier();
}

void ThreadPool::barrier() {
  if (size_ == 1) return;
  const uint32_t phase = phase_.load();
  if (arrived_.fetch_add(1) + 1 == size_) {
    arrived_.store(0);
    phase_.fetch_add(1);
    parking_.wake();
    return;
  }
  parking_.wait(kBarrierSpins, [&] { return phase_.load() != phase; });
}

void ThreadPool::loop(int thread) {
  uint32_t round = 0;
  while (true) {
    parking_.wait(kIdleSpins, [&] { return round_.load() != round; });
    ++round;
    if (stop_) return;
    work_(context_, thread);
    barrier();
  }
}

}  // namespace ashlar
