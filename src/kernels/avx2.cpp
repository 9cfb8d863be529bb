// The AVX2 kernels (with FMA and F16C).
#include "kernels/target.h"
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/activations.h"
#include "kernels/cpu.h"
#include "kernels/implementations.h"
#include "tensor/blocks.h"

ASHLAR_TARGET_BEGIN("avx2,fma,f16c")
namespace ashlar::kernels::avx2 {
namespace {

#include "kernels/simd_avx2.inl"
//
#include "kernels/rows.inl"
//
#include "kernels/gemm.inl"
//
#include "kernels/chunks_avx2.inl"
//
#include "kernels/int8_avx2.inl"
//
#include "kernels/prepare.inl"
//
#include "kernels/attention.inl"

constexpr int64_t kFewTokens = 8;  // row dots up to here, panels of floats above

bool decode_quantised(Format f, const std::byte* blocks, int64_t n, float* out) {
  switch (f) {
#define ASHLAR_CASE(name)                   \
  case Format::name:                        \
    decode_q<Format::name>(blocks, n, out); \
    return true;
    ASHLAR_QUANTISED(ASHLAR_CASE)
#undef ASHLAR_CASE
    default:
      return false;
  }
}

Activation activation(Format weight, int64_t, int64_t tokens) {
  return is_float(weight) || tokens > kFewTokens ? Activation::f32 : Activation::q8;
}

int64_t matmul_scratch(Format, int64_t, int64_t) { return kF32Scratch; }
int64_t matmul_grain(Format, int64_t tokens) { return tokens <= kFewTokens ? 8 : kPanelRows; }

void matmul(Format f, Activation form, const MatMul& m, std::byte* scratch) {
  if (form == Activation::q8 && m.tokens <= 4 * kFewTokens) {
    switch (f) {
#define ASHLAR_CASE(name) \
  case Format::name:      \
    return dot_all_q8<Format::name>(m);
      ASHLAR_QUANTISED(ASHLAR_CASE)
#undef ASHLAR_CASE
      default:
        break;
    }
  }
  if (form == Activation::f32 && m.tokens <= kFewTokens) {
    switch (f) {
      case Format::f32:
        return dot_all<LoadF32>(m);
      case Format::f16:
        return dot_all<LoadF16>(m);
      case Format::bf16:
        return dot_all<LoadBf16>(m);
      case Format::fp8_b128:
        return dot_all<LoadFp8>(m);
      default:
        break;
    }
  }
  matmul_panels_f32(f, form, m, scratch);
}

}  // namespace

constinit const Table kTable = {
    .name = "avx2",
    .supported = cpu_has_avx2,
    .activation = activation,
    .prepare = prepare,
    .matmul_scratch = matmul_scratch,
    .matmul_grain = matmul_grain,
    .matmul = matmul,
    .rms_norm = rms_norm,
    .layer_norm = layer_norm,
    .gated = gated,
    .unary = unary,
    .add = add_rows,
    .multiply = multiply_rows,
    .scale = scale_row,
    .add_scaled = add_scaled,
    .softcap = softcap,
    .softmax = softmax,
    .rope = rope,
    .store = store_row,
    .attention_scratch = attention_scratch,
    .attention = attention,
};

}  // namespace ashlar::kernels::avx2
ASHLAR_TARGET_END
#endif
