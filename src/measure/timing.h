// Repeated timing of something short, and memory that measurements read.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ashlar {

/// Arithmetic: the best of many short timings, because whatever else runs on the machine only ever
/// adds to a time. Memory: the median, because now and then a reading finds part of it in a cache.
enum class Take : uint8_t { best, median };

/// Seconds of n calls of f().
template <class F>
double timed(const F& f, int64_t n = 1) {
  const auto start = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < n; ++i) f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Seconds of one call of f(), of up to `repeats` timings of at least `least` seconds each.
template <class F>
double seconds_of(F f, double least = 0.002, int repeats = 9, Take take = Take::best) {
  int64_t n = 1;
  std::vector<double> times{timed(f)};
  while (times[0] < least) {
    const double grow = std::clamp(1.2 * least / std::max(times[0], 1e-9), 1.5, 1000.0);
    n = static_cast<int64_t>(static_cast<double>(n) * grow) + 1;
    times[0] = timed(f, n);
  }
  // Long calls are few: together some 20 times `least`, or 50 ms.
  double spent = times[0];
  for (int i = 1; i < repeats && (i < 3 || spent < std::max(20 * least, 0.05)); ++i) {
    times.push_back(timed(f, n));
    spent += times.back();
  }
  std::sort(times.begin(), times.end());
  return times[take == Take::best ? 0 : times.size() / 2] / static_cast<double>(n);
}

/// Zeroed, touched, 64-byte aligned memory, in huge pages where the system has them and `huge` asks
/// for them: limits are measured so; the engine's own memory has ordinary ones. Throws
/// Error(resource).
class Memory {
 public:
  explicit Memory(int64_t bytes, bool huge = true);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  std::byte* data() const { return data_; }
  float* floats() const { return reinterpret_cast<float*>(data_); }
  int64_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace ashlar
