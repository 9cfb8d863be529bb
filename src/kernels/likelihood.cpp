// The loops for every CPU, and for those with AVX2 and AVX-512. Without fused multiply-adds, which
// round once where others round twice (CMakeLists.txt forbids them in this file).
#include "kernels/likelihood.h"

#include "kernels/cpu.h"
#include "kernels/target.h"

namespace ashlar::kernels {
namespace {

typedef float F4 __attribute__((vector_size(16)));
typedef float F8 __attribute__((vector_size(32)));
typedef float F16 __attribute__((vector_size(64)));
typedef int32_t I8 __attribute__((vector_size(32)));
typedef int32_t I16 __attribute__((vector_size(64)));
typedef double D4 __attribute__((vector_size(32)));

ASHLAR_INLINE void load(const float* p, F8& v) { __builtin_memcpy(&v, p, sizeof v); }
ASHLAR_INLINE const F8& part(const F8& v, int) { return v; }

namespace baseline {
using F = F8;
using I = I8;
constexpr int kTogether = 1, kChains = 1;
#include "kernels/likelihood.inl"
}  // namespace baseline

#if defined(__x86_64__)
ASHLAR_TARGET_BEGIN("avx2")
namespace avx2 {
using F = F8;
using I = I8;
constexpr int kTogether = 1, kChains = 1;
#include "kernels/likelihood.inl"
}  // namespace avx2
ASHLAR_TARGET_END

ASHLAR_TARGET_BEGIN("avx2,avx512f,avx512bw,avx512vl,avx512dq")
namespace avx512 {
using F = F16;
using I = I16;
constexpr int kTogether = 2, kChains = 8;
ASHLAR_INLINE void load(const float* p, F& v) {
  F8 a, b;
  __builtin_memcpy(&a, p, sizeof a);
  __builtin_memcpy(&b, p + kLikelihoodBlock, sizeof b);
  v = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
ASHLAR_INLINE F8 part(const F& v, int k) {
  return k == 0 ? __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7)
                : __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
}
#include "kernels/likelihood.inl"
}  // namespace avx512
ASHLAR_TARGET_END
#endif

}  // namespace

std::span<const LikelihoodLoops* const> every_likelihood_loops() {
#if defined(__x86_64__)
  static constexpr const LikelihoodLoops* kAll[] = {&baseline::kLoops, &avx2::kLoops,
                                                    &avx512::kLoops};
  static const size_t count = cpu_has_avx512() ? 3 : cpu_has_avx2() ? 2 : 1;
  return std::span(kAll).first(count);
#else
  static constexpr const LikelihoodLoops* kAll[] = {&baseline::kLoops};
  return kAll;
#endif
}

const LikelihoodLoops& likelihood_loops() { return *every_likelihood_loops().back(); }

}  // namespace ashlar::kernels
