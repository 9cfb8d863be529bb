// Threads for measuring, each on a core of its own from the start.
#pragma once

#include <memory>

#include "run/thread_pool.h"

namespace ashlar {

/// New threads begin on their creator's core and may share it for half a second before the system
/// moves them: longer than a measurement. The caller's own freedom comes back at the end.
class PinnedPool {
 public:
  explicit PinnedPool(int threads);
  ~PinnedPool();
  PinnedPool(const PinnedPool&) = delete;
  PinnedPool& operator=(const PinnedPool&) = delete;
  ThreadPool& operator*() { return pool_; }

 private:
  struct Cores;
  ThreadPool pool_;
  std::unique_ptr<Cores> cores_;
};

}  // namespace ashlar
