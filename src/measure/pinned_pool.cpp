// Pinning, where the system knows it.
#include "measure/pinned_pool.h"

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

namespace ashlar {

#if defined(__linux__)

struct PinnedPool::Cores {
  cpu_set_t allowed;  // of the caller
  bool known = false;
};

PinnedPool::PinnedPool(int threads) : pool_(threads), cores_(std::make_unique<Cores>()) {
  cores_->known =
      pthread_getaffinity_np(pthread_self(), sizeof cores_->allowed, &cores_->allowed) == 0;
  if (!cores_->known || CPU_COUNT(&cores_->allowed) < pool_.size()) return;
  pool_.run(
      [](void* context, int thread) {
        const auto& allowed = *static_cast<const cpu_set_t*>(context);
        int seen = 0;
        for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
          if (!CPU_ISSET(cpu, &allowed) || seen++ != thread) continue;
          cpu_set_t one;
          CPU_ZERO(&one);
          CPU_SET(cpu, &one);
          pthread_setaffinity_np(pthread_self(), sizeof one, &one);
        }
      },
      &cores_->allowed);
}

PinnedPool::~PinnedPool() {
  if (cores_->known)
    pthread_setaffinity_np(pthread_self(), sizeof cores_->allowed, &cores_->allowed);
}

#else

struct PinnedPool::Cores {};
PinnedPool::PinnedPool(int threads) : pool_(threads) {}
PinnedPool::~PinnedPool() = default;

#endif

}  // namespace ashlar
