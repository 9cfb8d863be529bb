// The entries of a table over eight floats and thirty-two bytes at a time (AVX2, NEON), which the
// files included here make from the vocabulary of simd_*.inl and bytes_*.inl.

#include "kernels/rows.inl"
//
#include "kernels/gemm.inl"
//
#include "kernels/panels.inl"
//
#include "kernels/chunks.inl"
//
#include "kernels/int8_dots.inl"
//
#include "kernels/prepare.inl"
//
#include "kernels/attention.inl"

constexpr ProductForm kQuantisedForms[] = {
    {.tokens = 1, .activation = Activation::q8, .rows = kDotRows},
    {.tokens = kFewTokens + 1, .activation = Activation::f32, .rows = kPanelRows}};

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
  if (is_plain(weight)) return kPlainForms;
  if (is_float(weight)) return kFloatForms;
  return kQuantisedForms;
}

int64_t matmul_scratch(Format, int64_t) { return kF32Scratch; }

void matmul(Format f, Activation form, const MatMul& m, std::byte* scratch) {
  if (m.panels != nullptr) return matmul_packed(f, form, m, scratch);
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
  matmul_floats(f, form, m, scratch);
}

int64_t panel_bytes(Format f, int64_t cols) { return kPanelRows * row_bytes(f, cols); }

constexpr Table table_of(std::string_view name, bool (*supported)()) {
  return {
      .name = name,
      .supported = supported,
      .product_forms = product_forms,
      .prepare = prepare,
      .matmul_scratch = matmul_scratch,
      .matmul = matmul,
      .panel_rows = kPanelRows,
      .panel_bytes = panel_bytes,
      .pack_panels = pack_plain,
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
}
