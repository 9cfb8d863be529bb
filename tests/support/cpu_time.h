// Processor time, which other work on the machine does not change: for bounds of orders of
// magnitude on what must not grow without limit.
#pragma once

#include <ctime>

namespace ashlar::testing {

/// Seconds of processor time that f takes, summed over the threads of this process.
template <class F>
double cpu_seconds_of(const F& f) {
  const auto now = [] {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  };
  const double start = now();
  f();
  return now() - start;
}

}  // namespace ashlar::testing
