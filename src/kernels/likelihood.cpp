// The loops for every CPU, and for those with AVX2. Without fused multiply-adds, which round once
// where others round twice.
#include "kernels/likelihood.h"

#include "kernels/cpu.h"
#include "kernels/target.h"

namespace ashlar::kernels {
namespace {

namespace baseline {
#include "kernels/likelihood.inl"
}

#if defined(__x86_64__)
ASHLAR_TARGET_BEGIN("avx2")
namespace avx2 {
#include "kernels/likelihood.inl"
}
ASHLAR_TARGET_END
#endif

}  // namespace

const LikelihoodLoops& baseline_likelihood_loops() { return baseline::kLoops; }

const LikelihoodLoops& likelihood_loops() {
#if defined(__x86_64__)
  if (cpu_has_avx2()) return avx2::kLoops;
#endif
  return baseline::kLoops;
}

}  // namespace ashlar::kernels
