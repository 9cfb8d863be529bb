// Spinning, sleeping, the barrier, and which CPU a thread runs on.
#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <exception>
#include <system_error>

#include "base/error.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ashlar {
namespace {

constexpr int kBarrierSpins = 4000;  // some 50 us: longer than a step of a small model
constexpr int kIdleSpins = 20000;    // between two steps of a decoding loop

void pin_to(pthread_t thread, int cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  pthread_setaffinity_np(thread, sizeof one, &one);  // a wish: a refusal costs speed only
}

}  // namespace

void relax_cpu() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

struct ThreadPool::Freedom {
  cpu_set_t allowed;
};

ThreadPool::ThreadPool(int threads, Pinning pinning) {
  const int wanted = std::max(threads, 1);
  threads_.reserve(static_cast<size_t>(wanted));
  try {
    for (int id = 1; id < wanted; ++id) threads_.emplace_back([this, id] { loop(id); });
  } catch (const std::system_error&) {
    // The system grants no more threads: those there are do the work.
  }
  size_ = static_cast<int>(threads_.size()) + 1;
  shares_ = std::make_unique<Shares>(size_);
  pin(pinning);
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  round_.fetch_add(1);
  parking_.wake();
  for (std::thread& t : threads_) t.join();
  if (freedom_)
    pthread_setaffinity_np(pthread_self(), sizeof freedom_->allowed, &freedom_->allowed);
}

void ThreadPool::pin(Pinning pinning) {
  if (pinning == Pinning::none) return;
  const std::vector<int> cpus = usable_cpus().ids;
  if (static_cast<int>(cpus.size()) < size_) return;
  for (size_t i = 0; i < threads_.size(); ++i) pin_to(threads_[i].native_handle(), cpus[i + 1]);
  if (pinning != Pinning::all) return;
  auto freedom = std::make_unique<Freedom>();
  if (sched_getaffinity(0, sizeof freedom->allowed, &freedom->allowed) != 0) return;
  freedom_ = std::move(freedom);
  pin_to(pthread_self(), cpus[0]);
}

void ThreadPool::run(void (*work)(void*, int), void* context) {
  work_ = work;
  context_ = context;
  round_.fetch_add(1);
  parking_.wake();
  work(context, 0);
  barrier();
}

struct ThreadPool::Loop {
  const std::function<void(int64_t, int)>& f;
  Shares& shares;
  uint64_t round;
  int64_t n;
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::exception_ptr error;

  static void work(void* context, int thread) {
    Loop& l = *static_cast<Loop*>(context);
    try {
      while (!l.failed) {
        const int64_t i = l.shares.take(l.round, l.n, thread);
        if (i == Shares::kNone) return;
        l.f(i, thread);
      }
    } catch (...) {
      const std::lock_guard lock(l.mutex);
      if (!l.error) l.error = std::current_exception();
      l.failed = true;
    }
  }
};

void ThreadPool::each(int64_t n, const std::function<void(int64_t, int)>& f) {
  if (n <= 0) return;
  ASHLAR_ASSERT(n < Shares::kMostTasks, "loops are cut into coarse pieces");
  if (n == 1) return f(0, 0);
  if (loops_ == Shares::kMostRounds) {
    shares_->reset();
    loops_ = 0;
  }
  Loop all{f, *shares_, ++loops_, n, {}, {}, {}};
  run(&Loop::work, &all);
  if (all.error) std::rethrow_exception(all.error);
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

void parallel_for(int64_t n, const std::function<void(int64_t, int)>& f, int threads) {
  const int64_t wanted = threads > 0 ? threads : default_threads();
  ThreadPool(static_cast<int>(std::min(n, wanted))).each(n, f);
}

}  // namespace ashlar
