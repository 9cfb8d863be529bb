// The thread pool: every thread works, barriers hold, and it may be used again after a rest.
#include "run/thread_pool.h"

#include <gtest/gtest.h>

#include <chrono>

namespace ashlar {
namespace {

struct Relay {
  ThreadPool& pool;
  std::vector<int64_t> cells;  // one per thread, read by the next thread after each barrier
  int64_t rounds = 0;
  std::atomic<int> calls{0};
};

/// Each round a thread adds one to what its neighbour had: without barriers the sums go wrong.
void relay(void* context, int thread) {
  Relay& r = *static_cast<Relay*>(context);
  r.calls.fetch_add(1);
  const auto me = static_cast<size_t>(thread), n = r.cells.size();
  for (int64_t i = 0; i < r.rounds; ++i) {
    const int64_t next = r.cells[(me + 1) % n] + 1;
    r.pool.barrier();
    r.cells[me] = next;
    r.pool.barrier();
  }
}

TEST(ThreadPool, BarriersHold) {
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    ASSERT_EQ(pool.size(), threads);
    Relay r{pool, std::vector<int64_t>(static_cast<size_t>(threads), 0), 50};
    for (int run = 1; run <= 5; ++run) {
      pool.run(relay, &r);
      for (const int64_t c : r.cells) EXPECT_EQ(c, 50 * run);
      EXPECT_EQ(r.calls.load(), threads * run);
      // Long enough that threads go to sleep, and short enough that they do not.
      if (run % 2 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

TEST(ThreadPool, StopsWithoutHavingWorked) {
  for (int i = 0; i < 20; ++i) ThreadPool pool(4);
  ThreadPool none(0);
  EXPECT_EQ(none.size(), 1);
}

}  // namespace
}  // namespace ashlar
