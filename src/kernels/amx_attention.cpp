// Attention by tiles (Intel AMX with bfloat16).
#include "kernels/target.h"
#if defined(__x86_64__)
// Of the files that are shared with AVX-512 only a part is used here. gcc 12 takes the undefined
// pass-through operands inside its own intrinsics for uninitialised variables.
#pragma GCC diagnostic ignored "-Wunused-function"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "base/parts_of_memory.h"
#include "kernels/activations.h"
#include "kernels/amx.h"
#include "kernels/cpu.h"
#include "tensor/blocks.h"

ASHLAR_TARGET_BEGIN(
    "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,amx-tile,amx-bf16")
namespace ashlar::kernels::amx {
namespace {

#include "kernels/simd_avx512.inl"
//
#include "kernels/rows.inl"
//
#include "kernels/gemm.inl"
//
#include "kernels/attention.inl"
//
#include "kernels/attention_bf16.inl"
//
#include "kernels/amx_tiles.inl"
//
#include "kernels/amx_attention.inl"

bool decode_quantised(Format, const std::byte*, int64_t, float*) { return false; }

}  // namespace

int64_t attention_tiles_scratch(const Attention& a) { return rounded_scratch(a); }
void attention_in_tiles(const Attention& a, std::byte* scratch) { attention_tiles(a, scratch); }

}  // namespace ashlar::kernels::amx
ASHLAR_TARGET_END
#endif
