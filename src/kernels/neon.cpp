// The NEON kernels, for every 64-bit Arm CPU.
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

namespace ashlar::kernels::neon {
namespace {

ASHLAR_INLINE int32x4_t four_products(int8x16_t q, int8x16_t x) {
  const int16x8_t low = vmull_s8(vget_low_s8(q), vget_low_s8(x)), high = vmull_high_s8(q, x);
  return vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high));
}

#include "kernels/simd_neon.inl"
//
#include "kernels/bytes_neon.inl"
//
#include "kernels/eight_lanes.inl"

bool supported() { return true; }

}  // namespace
constinit const Table kTable = table_of("neon", supported);
}  // namespace ashlar::kernels::neon
#endif
