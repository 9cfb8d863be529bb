// Repeated timing of something short, and memory that measurements read.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace ashlar {

/// Seconds of one call of f(): the best of `repeats` timings of at least `least` seconds each. The
/// best of many short ones, because whatever else runs on the machine only ever adds to a time.
template <class F>
double seconds_of(F f, double least = 0.002, int repeats = 9) {
  using Clock = std::chrono::steady_clock;
  const auto timed = [&](int64_t n) {
    const auto start = Clock::now();
    for (int64_t i = 0; i < n; ++i) f();
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  int64_t n = 1;
  double best = timed(1);
  while (best < least) {
    const double grow = std::clamp(1.2 * least / std::max(best, 1e-9), 1.5, 1000.0);
    n = static_cast<int64_t>(static_cast<double>(n) * grow) + 1;
    best = timed(n);
  }
  // Long calls are few: together some 20 times `least`, or 50 ms.
  double spent = best;
  for (int i = 1; i < repeats && (i < 2 || spent < std::max(20 * least, 0.05)); ++i) {
    const double took = timed(n);
    best = std::min(best, took);
    spent += took;
  }
  return best / static_cast<double>(n);
}

/// Zeroed, touched, 64-byte aligned memory, in huge pages where the system has them. Throws
/// Error(resource).
class Memory {
 public:
  explicit Memory(int64_t bytes);
  ~Memory();
  Memory(Memory&& other) noexcept;
  Memory& operator=(Memory&&) = delete;
  std::byte* data() const { return data_; }
  float* floats() const { return reinterpret_cast<float*>(data_); }
  int64_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace ashlar
