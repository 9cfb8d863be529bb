// Tasks dealt out to threads: each has a share of its own, and takes from others' when that is
// done.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace ashlar {

/// Rounds of tasks follow one another. A thread takes the tasks of its own share without touching
/// what others write; a share whose thread does not come is taken by those who do. Safe from all
/// threads at once, where every thread passes the same number of tasks for a round and no thread
/// starts a round before all tasks of the one before have been taken. Rounds have rising numbers,
/// from 1.
class Shares {
 public:
  static constexpr int64_t kNone = -1;
  static constexpr int64_t kMostTasks = int64_t{1} << 30;     // of a round
  static constexpr uint64_t kMostRounds = uint64_t{1} << 33;  // then reset() and begin at 1 again

  explicit Shares(int threads)
      : threads_(threads), shares_(std::make_unique<Share[]>(static_cast<size_t>(threads))) {}

  /// A task of 0 .. tasks - 1 that nobody had yet in this round; kNone when there is none, or when
  /// others have begun a later round.
  int64_t take(uint64_t round, int64_t tasks, int thread) {
    for (int i = 0; i < threads_; ++i) {
      const int owner = thread + i < threads_ ? thread + i : thread + i - threads_;
      const int64_t begin = begin_of(owner, tasks), size = begin_of(owner + 1, tasks) - begin;
      if (size == 0) continue;
      const int64_t task = take_from(shares_[static_cast<size_t>(owner)], round, size);
      if (task != kNone) return begin + task;
    }
    return kNone;
  }

  /// No thread may be taking.
  void reset() {
    for (int i = 0; i < threads_; ++i) shares_[static_cast<size_t>(i)].taken = 0;
  }

 private:
  static constexpr int kTaskBits = 30;

  /// The round, and how many of its tasks have been taken: one word, so that whoever comes first in
  /// a round begins the share, its owner or not.
  struct alignas(64) Share {
    std::atomic<uint64_t> taken{0};
  };

  int64_t begin_of(int owner, int64_t tasks) const {
    return (owner * tasks + threads_ - 1) / threads_;
  }
  static int64_t take_from(Share& share, uint64_t round, int64_t size) {
    uint64_t old = share.taken.load(std::memory_order_relaxed);
    while (true) {
      if (old >> kTaskBits > round) return kNone;
      const uint64_t next = old >> kTaskBits == round ? old & (kMostTasks - 1) : 0;
      if (static_cast<int64_t>(next) >= size) return kNone;
      const uint64_t now = (round << kTaskBits) + next + 1;
      if (share.taken.compare_exchange_weak(old, now, std::memory_order_acq_rel,
                                            std::memory_order_relaxed))
        return static_cast<int64_t>(next);
    }
  }

  int threads_;
  std::unique_ptr<Share[]> shares_;
};

}  // namespace ashlar
