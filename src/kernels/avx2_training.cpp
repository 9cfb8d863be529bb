// Kernels of training for AVX2 with FMA.
#include "kernels/target.h"
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels/training.h"

ASHLAR_TARGET_BEGIN("avx2,fma,f16c")
namespace ashlar::kernels::avx2 {
namespace {
#include "kernels/simd_avx2.inl"
constexpr int kTileRows = 6;
//
#include "kernels/training_products.inl"
}  // namespace
constinit const TrainingTable kTraining = {
    .name = "avx2", .f32 = kProductsF32, .f64 = kProductsF64, .bf16 = kProductsRounded};
}  // namespace ashlar::kernels::avx2
ASHLAR_TARGET_END
#endif
