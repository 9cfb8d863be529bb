// Kernels of training for NEON.
#include "kernels/target.h"
#if defined(__aarch64__)
#include <arm_neon.h>

#include "kernels/training.h"

namespace ashlar::kernels::neon {
namespace {
#include "kernels/simd_neon.inl"
constexpr int kTileRows = 6;
//
#include "kernels/training_products.inl"
}  // namespace
constinit const TrainingTable kTraining = {
    .name = "neon", .f32 = kProductsF32, .f64 = kProductsF64, .bf16 = kProductsRounded};
}  // namespace ashlar::kernels::neon
#endif
