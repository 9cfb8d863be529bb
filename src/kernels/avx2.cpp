// The AVX2 kernels (with FMA and F16C).
#include "kernels/target.h"
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "base/parts_of_memory.h"
#include "kernels/activations.h"
#include "kernels/cpu.h"
#include "kernels/implementations.h"
#include "tensor/blocks.h"

ASHLAR_TARGET_BEGIN("avx2,fma,f16c")
namespace ashlar::kernels::avx2 {
namespace {

#include "kernels/simd_avx2.inl"
//
#include "kernels/bytes_avx2.inl"
//
#include "kernels/eight_lanes.inl"

}  // namespace
constinit const Table kTable = table_of("avx2", cpu_has_avx2);
}  // namespace ashlar::kernels::avx2
ASHLAR_TARGET_END
#endif
