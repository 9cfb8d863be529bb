// Kernels of training for AVX-512, with bfloat16 where it is fast.
#include "kernels/target.h"
#if defined(__x86_64__)
// gcc 12 takes the undefined pass-through operands inside its own intrinsics for uninitialised
// variables.
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include "kernels/training.h"

ASHLAR_TARGET_BEGIN("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq")
namespace ashlar::kernels::avx512 {
namespace {
#include "kernels/simd_avx512.inl"
constexpr int kTileRows = 12;
//
#include "kernels/training_products.inl"
}  // namespace
}  // namespace ashlar::kernels::avx512
ASHLAR_TARGET_END

ASHLAR_TARGET_BEGIN("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")
namespace ashlar::kernels::avx512 {
namespace {
#include "kernels/training_bf16.inl"
}  // namespace
}  // namespace ashlar::kernels::avx512
ASHLAR_TARGET_END

namespace ashlar::kernels::avx512 {
constinit const TrainingTable kTraining = {
    .name = "avx512", .f32 = kProductsF32, .f64 = kProductsF64, .bf16 = kProductsRounded};
constinit const ProductKernels kTrainingBf16 = kProductsBf16;
}  // namespace ashlar::kernels::avx512
#endif
