// The thread pool: every thread works, barriers hold, and it may be used again after a rest.
#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>

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

TEST(ThreadPool, EachCallsEveryIndexOnce) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (const int64_t n : {0, 1, 2, 5, 1000}) {
      std::vector<std::atomic<int>> calls(static_cast<size_t>(n));
      pool.each(n, [&](int64_t i, int thread) {
        EXPECT_GE(thread, 0);
        EXPECT_LT(thread, threads);
        ++calls[static_cast<size_t>(i)];
      });
      for (const auto& c : calls) EXPECT_EQ(c, 1);
    }
  }
}

TEST(ThreadPool, EachThrowsTheFirstExceptionAndGoesOnWorking) {
  ThreadPool pool(3);
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> calls{0};
    EXPECT_THROW(pool.each(1000,
                           [&](int64_t i, int) {
                             ++calls;
                             if (i % 100 == 7) throw std::runtime_error("no");
                           }),
                 std::runtime_error);
    EXPECT_LT(calls, 1000);
    calls = 0;
    pool.each(50, [&](int64_t, int) { ++calls; });
    EXPECT_EQ(calls, 50);
  }
}

TEST(ThreadPool, ParallelForNeedsNoPool) {
  std::atomic<int64_t> sum{0};
  parallel_for(100, [&](int64_t i, int) { sum += i; });
  EXPECT_EQ(sum, 4950);
  parallel_for(0, [&](int64_t, int) { ADD_FAILURE(); });
  EXPECT_THROW(parallel_for(
                   9, [](int64_t, int) { throw std::runtime_error("no"); }, 2),
               std::runtime_error);
}

#if defined(__linux__)
std::vector<int> cpus_of_this_thread() { return usable_cpus().ids; }

TEST(ThreadPool, HelpersArePinnedAndTheCallerKeepsItsFreedom) {
  const std::vector<int> before = cpus_of_this_thread();
  const int threads = static_cast<int>(std::min<size_t>(before.size(), 3));
  for (const Pinning pinning : {Pinning::helpers, Pinning::all}) {
    {
      ThreadPool pool(threads, pinning);
      std::vector<std::vector<int>> seen(static_cast<size_t>(threads));
      pool.run(
          [](void* context, int thread) {
            (*static_cast<std::vector<std::vector<int>>*>(context))[static_cast<size_t>(thread)] =
                cpus_of_this_thread();
          },
          &seen);
      for (size_t i = 1; i < seen.size(); ++i) EXPECT_EQ(seen[i], (std::vector<int>{before[i]}));
      if (pinning == Pinning::all)
        EXPECT_EQ(seen[0], (std::vector<int>{before[0]}));
      else
        EXPECT_EQ(seen[0], before);
    }
    EXPECT_EQ(cpus_of_this_thread(), before);
  }
  // More threads than CPUs: pinning would make some wait for others.
  ThreadPool many(static_cast<int>(before.size()) + 1, Pinning::all);
  EXPECT_EQ(cpus_of_this_thread(), before);
}
#endif

TEST(Shares, EveryTaskIsTakenOnceWhoeverComes) {
  for (const int threads : {1, 2, 3, 8}) {
    Shares shares(threads);
    uint64_t round = 0;
    for (const int64_t tasks : {1, 2, 7, 8, 9, 1000, 1, 64}) {
      round += 0x30000000;  // also after many in which a share had no tasks
      std::vector<int> taken(static_cast<size_t>(tasks), 0);
      // Only thread 0 comes: it takes the others' shares as well.
      const int alone = tasks % 2 == 0 ? 0 : threads - 1;
      EXPECT_EQ(shares.take(round, tasks, alone) != Shares::kNone, true);
      for (int64_t i = 1; i < tasks; ++i) {
        const int64_t t = shares.take(round, tasks, static_cast<int>(i) % threads);
        ASSERT_NE(t, Shares::kNone);
        ++taken[static_cast<size_t>(t)];
      }
      EXPECT_EQ(shares.take(round, tasks, 0), Shares::kNone);
      EXPECT_EQ(std::count(taken.begin(), taken.end(), 1), tasks - 1);
      EXPECT_EQ(shares.take(round - 1, tasks, 0), Shares::kNone);  // one that comes late
    }
  }
}

TEST(Shares, AThreadBeginsWithItsOwn) {
  Shares shares(4);
  for (const int thread : {2, 0, 3, 1}) EXPECT_EQ(shares.take(1, 40, thread), 10 * thread);
  EXPECT_EQ(shares.take(1, 40, 3), 31);
  // Few tasks: one each for the first threads, and the others help.
  EXPECT_EQ(shares.take(2, 2, 1), 1);
  EXPECT_EQ(shares.take(2, 2, 3), 0);
}

}  // namespace
}  // namespace ashlar
