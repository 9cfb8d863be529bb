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
#include "kernels/panels.inl"
//
#include "kernels/chunks_avx512.inl"
//
#include "kernels/int8_avx512.inl"
//
#include "kernels/prepare.inl"
//
#include "kernels/attention.inl"

constexpr ProductForm kNarrowForms[] = {  // where bfloat16 arithmetic is fast
    {.tokens = 1, .activation = Activation::f32, .rows = kDotRows},
    {.tokens = kFewTokens + 1, .activation = Activation::bf16, .rows = kPanelRows}};
constexpr ProductForm kQuantisedForms[] = {
    {.tokens = 1, .activation = Activation::q8, .rows = kDotRows},
    {.tokens = kPanelTokensQ8, .activation = Activation::q8, .rows = kPanelRows},
    {.tokens = kPanelTokensQ8,
     .packing = Packing::panels,
     .activation = Activation::q8,
     .rows = kPanelRows}};

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
  return is_plain(weight) ? std::span<const ProductForm>(kPlainForms) : kFloatForms;
}

int64_t panel_bytes(Format f, int64_t cols) {
  switch (f) {
#define ASHLAR_CASE(name) \
  case Format::name:      \
    return q8_layout(cols).padded * kColumnBytes<Format::name>;
    ASHLAR_QUANTISED(ASHLAR_CASE)
#undef ASHLAR_CASE
    default:
      return kPanelRows * row_bytes(f, cols);
  }
}

void pack_panels(Format f, const std::byte* w, int64_t row_bytes, int64_t rows, int64_t cols,
                 std::byte* out) {
  switch (f) {
#define ASHLAR_CASE(name) \
  case Format::name:      \
    return pack_blocks<Format::name>(w, row_bytes, rows, cols, out);
    ASHLAR_QUANTISED(ASHLAR_CASE)
#undef ASHLAR_CASE
    default:
      return pack_plain(f, w, row_bytes, rows, cols, out);
  }
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
  if (m.panels != nullptr) return matmul_packed(f, form, m, scratch);
  const bool may_round = f != Format::f32 && f != Format::f16;
  if (form == Activation::bf16 && may_round && cpu_has_fast_bf16())
    return matmul_panels_bf16(f, m, scratch);
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
    .panel_rows = kPanelRows,
    .panel_bytes = panel_bytes,
    .pack_panels = pack_panels,
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
