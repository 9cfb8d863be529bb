// Kernels of training by tiles (Intel AMX with bfloat16): products.
#include "kernels/target.h"
#if defined(__x86_64__)
// Of the files that are shared with AVX-512 only a part is used here. gcc 12 takes the undefined
// pass-through operands inside its own intrinsics for uninitialised variables.
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-variable"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#else
#pragma clang diagnostic ignored "-Wunused-const-variable"
#endif
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/training.h"

ASHLAR_TARGET_BEGIN("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,amx-tile,amx-bf16")
namespace ashlar::kernels::amx {
namespace {
#include "kernels/simd_avx512.inl"
constexpr int kTileRows = 12;
//
#include "kernels/training_products.inl"
//
#include "kernels/training_bf16.inl"
//
#include "kernels/amx_tiles.inl"
//
#include "kernels/amx_training.inl"
}  // namespace
}  // namespace ashlar::kernels::amx
ASHLAR_TARGET_END

namespace ashlar::kernels::amx {
constinit const ProductKernels kTrainingBf16 = {.tile_rows = kRows,
                                                .panel_cols = kPanel,
                                                .word_bytes = 4,
                                                .per_word = 2,
                                                .pack_rows = pack_row_steps,
                                                .pack_columns_as_rows = pack_column_steps,
                                                .pack_panel = pack_panel_bf16,
                                                .pack_panel_transposed = pack_panel_transposed_bf16,
                                                .multiply = multiply_words};
}
#endif
