// The AVX-512 kernels (F, BW, VL, DQ, VNNI; BF16 where it is fast).
#include "kernels/target.h"
#if defined(__x86_64__)
// gcc 12 takes the undefined pass-through operands inside its own intrinsics for uninitialised
// variables.
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "base/parts_of_memory.h"
#include "kernels/activations.h"
#include "kernels/cpu.h"
#include "kernels/implementations.h"
#include "tensor/blocks.h"

ASHLAR_TARGET_BEGIN("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")
namespace ashlar::kernels::avx512 {
namespace {

#include "kernels/simd_avx512.inl"
//
#include "kernels/rows.inl"
//
#include "kernels/gemm.inl"
//
#include "kernels/chunks_avx512.inl"
//
#include "kernels/int8_avx512.inl"
//
#include "kernels/prepare.inl"
//
#include "kernels/attention.inl"

constexpr int64_t kFewTokens = 8;  // float row dots up to here, panels above
constexpr int64_t kDotRows = 8;    // of a task of row dots

constexpr ProductForm kFloatForms[] = {
    {.tokens = 1, .activation = Activation::f32, .rows = kDotRows},
    {.tokens = kFewTokens + 1, .activation = Activation::f32, .rows = kPanelRows}};
constexpr ProductForm kNarrowForms[] = {  // where bfloat16 arithmetic is fast
    {.tokens = 1, .activation = Activation::f32, .rows = kDotRows},
    {.tokens = kFewTokens + 1, .activation = Activation::bf16, .rows = kPanelRows}};
constexpr ProductForm kQuantisedForms[] = {
    {.tokens = 1, .activation = Activation::q8, .rows = kDotRows},
    {.tokens = kPanelTokensQ8, .activation = Activation::q8, .rows = kPanelRows}};

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

std::span<const ProductForm> product_forms(Format weight) {
  if (!is_float(weight)) return kQuantisedForms;
  const bool narrow = weight == Format::bf16 || weight == Format::fp8_b128;
  if (narrow && cpu_has_fast_bf16()) return kNarrowForms;
  return kFloatForms;
}

int64_t matmul_scratch(Format, int64_t cols) {
  const int64_t q8 = q8_panel_bytes(q8_layout(cols).padded) + static_cast<int64_t>(sizeof(Stage));
  return q8 > kF32Scratch ? q8 : kF32Scratch;
}

}  // namespace
}  // namespace ashlar::kernels::avx512
ASHLAR_TARGET_END

ASHLAR_TARGET_BEGIN("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16")
namespace ashlar::kernels::avx512 {
namespace {
#include "kernels/bf16_avx512.inl"
//
#include "kernels/attention_bf16.inl"
}  // namespace
}  // namespace ashlar::kernels::avx512
ASHLAR_TARGET_END

ASHLAR_TARGET_BEGIN("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")
namespace ashlar::kernels::avx512 {
namespace {

void matmul_floats(Format f, Activation form, const MatMul& m, std::byte* scratch) {
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
  const bool may_round = f != Format::f32 && f != Format::f16;
  if (form == Activation::bf16 && may_round && cpu_has_fast_bf16())
    return matmul_panels_bf16(f, m, scratch);
  matmul_panels_f32(f, form, m, scratch);
}

int64_t scratch_of_attention(const Attention& a) {
  const int64_t exact = attention_scratch(a), rounded = rounded_scratch(a);
  return rounded > exact ? rounded : exact;
}

void attention_of_any_rows(const Attention& a, std::byte* scratch) {
  const bool rounded = a.rounded && a.state != Format::f32 && cpu_has_fast_bf16();
  if (rounded && a.tokens * a.heads >= kRoundedRows) return attention_rounded(a, scratch);
  attention(a, scratch);
}

void matmul(Format f, Activation form, const MatMul& m, std::byte* scratch) {
  if (form == Activation::q8) {
    switch (f) {
#define ASHLAR_CASE(name) \
  case Format::name:      \
    return matmul_q8<Format::name>(m, scratch);
      ASHLAR_QUANTISED(ASHLAR_CASE)
#undef ASHLAR_CASE
      default:
        break;
    }
  }
  matmul_floats(f, form, m, scratch);
}

}  // namespace

constinit const Table kTable = {
    .name = "avx512",
    .supported = cpu_has_avx512,
    .product_forms = product_forms,
    .prepare = prepare,
    .matmul_scratch = matmul_scratch,
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
    .attention_scratch = scratch_of_attention,
    .attention = attention_of_any_rows,
};

}  // namespace ashlar::kernels::avx512
ASHLAR_TARGET_END
#endif
