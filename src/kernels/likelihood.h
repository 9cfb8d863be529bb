// Loops over a whole vocabulary for the sampler: the same bits on every machine, since they consist
// of single IEEE operations in a fixed order, however many lanes a CPU takes at once.
#pragma once

#include <cstdint>
#include <span>

namespace ashlar::kernels {

/// Numbers that one entry of `maxima` and of `sums` stands for; the last block may be shorter.
inline constexpr int64_t kLikelihoodBlock = 64;

struct LikelihoodLoops {
  /// maxima[b] = the largest of block b of x; NaNs are smaller than all. Of none: -infinity.
  void (*maxima)(const float* x, int64_t n, float* maxima);
  /// e[i] = 2^((x[i] - most) * scale), where that is at least `least` and 2^-41, else 0; x <= most,
  /// and 0 for a NaN. sums[b] = the sum of block b.
  void (*likelihoods)(const float* x, int64_t n, float most, float scale, float least, float* e,
                      double* sums);
  /// How many of x are `t` or more.
  int64_t (*count)(const float* x, int64_t n, float t);
  /// How many, and their sum.
  int64_t (*mass)(const float* x, int64_t n, float t, double* sum);
  /// Per block: the sum of those of x that are `high` or more, and how many are at least `low` but
  /// less than that.
  void (*split)(const float* x, int64_t n, float low, float high, double* sums, int32_t* between);
  /// out[i] = x[i] where that is `t` or more, else -infinity; out may be x.
  void (*keep)(const float* x, int64_t n, float t, float* out);
};

/// For this CPU.
const LikelihoodLoops& likelihood_loops();
/// All that this CPU runs, those of any CPU first and the best last; equal in every bit.
std::span<const LikelihoodLoops* const> every_likelihood_loops();

}  // namespace ashlar::kernels
