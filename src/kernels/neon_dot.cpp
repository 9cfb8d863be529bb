// NEON with dot products of bytes (Armv8.2: server and desktop cores since about 2018).
#include "kernels/target.h"
#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "base/parts_of_memory.h"
#include "kernels/activations.h"
#include "kernels/cpu.h"
#include "kernels/implementations.h"
#include "tensor/blocks.h"

ASHLAR_TARGET_BEGIN("arch=armv8.2-a+dotprod")
namespace ashlar::kernels::neon_dot {
namespace {

ASHLAR_INLINE int32x4_t four_products(int8x16_t q, int8x16_t x) {
  return vdotq_s32(vdupq_n_s32(0), q, x);
}

#include "kernels/simd_neon.inl"
//
#include "kernels/bytes_neon.inl"
//
#include "kernels/eight_lanes.inl"

}  // namespace
constinit const Table kTable = table_of("neon_dot", cpu_has_dot);
}  // namespace ashlar::kernels::neon_dot
ASHLAR_TARGET_END
#endif
