// Kernels of training for any CPU, and which table goes with which.
#include "kernels/training.h"

#include "kernels/cpu.h"
#include "kernels/target.h"

namespace ashlar::kernels {
namespace generic {
namespace {

constexpr int64_t kW = 4;
constexpr int kTileRows = 4;
void transpose(const float* in, int64_t in_stride, float* out, int64_t out_stride) {
  for (int64_t r = 0; r < kW; ++r) {
    for (int64_t c = 0; c < kW; ++c) out[c * out_stride + r] = in[r * in_stride + c];
  }
}
#include "kernels/training_products.inl"

}  // namespace
constinit const TrainingTable kTraining = {
    .name = "generic", .f32 = kProductsF32, .f64 = kProductsF64, .bf16 = kProductsRounded};
}  // namespace generic

const TrainingTable& training_table(std::string_view table) {
#if defined(__x86_64__)
  if (table == "amx") {
    static const TrainingTable tiles = [] {
      TrainingTable t = avx512::kTraining;
      t.name = "amx";
      t.bf16 = amx::kTrainingBf16;
      t.fast_bf16 = true;
      return t;
    }();
    return tiles;
  }
  if (table.starts_with("avx512")) {
    static const TrainingTable best = [] {
      TrainingTable t = avx512::kTraining;
      t.fast_bf16 = cpu_has_fast_bf16();
      if (t.fast_bf16) t.bf16 = avx512::kTrainingBf16;
      return t;
    }();
    return best;
  }
  if (table == "avx2") return avx2::kTraining;
#elif defined(__aarch64__)
  if (table.starts_with("neon")) return neon::kTraining;
#endif
  static_cast<void>(table);
  return generic::kTraining;
}

}  // namespace ashlar::kernels
