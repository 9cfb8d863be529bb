// The kernels of tiles (Intel AMX with bfloat16), on top of the AVX-512 ones: products of many
// tokens, attention of many rows.
#include "kernels/target.h"
#if defined(__x86_64__)
// gcc 12 takes the undefined pass-through operands inside its own intrinsics for uninitialised
// variables.
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/parts_of_memory.h"
#include "kernels/activations.h"
#include "kernels/amx.h"
#include "kernels/cpu.h"
#include "kernels/implementations.h"
#include "tensor/blocks.h"

ASHLAR_TARGET_BEGIN(
    "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,amx-tile,amx-bf16")
namespace ashlar::kernels::amx {
namespace {

ASHLAR_INLINE int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }

#include "kernels/simd_avx512.inl"
//
#include "kernels/chunks_avx512.inl"
//
#include "kernels/amx_tiles.inl"
//
#include "kernels/amx_widen.inl"
//
#include "kernels/amx_products.inl"

}  // namespace
}  // namespace ashlar::kernels::amx
ASHLAR_TARGET_END

namespace ashlar::kernels::amx {
namespace {

bool supported() {
  if (!cpu_has_avx512() || !cpu_has_tiles()) return false;
  static const bool right = tiles_are_right();
  return right;
}

/// From so many tokens on: where widening a panel for tiles costs less than what they save. Fewer
/// take the forms of AVX-512.
constexpr int64_t kTokensOfFloats = 9, kTokensOfCodes = 16;

std::vector<ProductForm> forms_of(Format weight) {
  const std::span<const ProductForm> lower = avx512::kTable.product_forms(weight);
  if (weight == Format::f32) return {lower.begin(), lower.end()};
  const int64_t from = is_float(weight) ? kTokensOfFloats : kTokensOfCodes;
  std::vector<ProductForm> forms;
  for (const ProductForm& form : lower)
    if (form.tokens < from) forms.push_back(form);
  forms.push_back({.tokens = from, .activation = Activation::bf16, .rows = kPanelRows});
  forms.push_back(
      {.tokens = kLeastTokenBlock, .activation = Activation::tiles, .rows = kPanelRows});
  return forms;
}

std::span<const ProductForm> product_forms(Format weight) {
  static const auto forms = [] {
    std::array<std::vector<ProductForm>, kFormats> all;
    for (int f = 0; f < kFormats; ++f)
      all[static_cast<size_t>(f)] = forms_of(static_cast<Format>(f));
    return all;
  }();
  return forms[static_cast<size_t>(weight)];
}

/// Panels that were packed to stay are those of AVX-512.
bool takes_tiles(Format weight, Activation form, const MatMul& m) {
  return weight != Format::f32 && m.panels == nullptr &&
         (form == Activation::tiles || form == Activation::bf16);
}

int64_t matmul_scratch(Format weight, int64_t cols) {
  const int64_t lower = avx512::kTable.matmul_scratch(weight, cols);
  return std::max(lower, tile_scratch_bytes(weight, cols));
}

void matmul(Format weight, Activation form, const MatMul& m, std::byte* scratch) {
  if (takes_tiles(weight, form, m)) return matmul_tiles(weight, form, m, scratch);
  avx512::kTable.matmul(weight, form, m, scratch);
}

int64_t attention_scratch(const Attention& a) {
  return std::max(avx512::kTable.attention_scratch(a), attention_tiles_scratch(a));
}

void attention(const Attention& a, std::byte* scratch) {
  const bool rounded = a.rounded && a.state != Format::f32;
  if (rounded && a.tokens * a.heads >= kTileAttentionRows) return attention_in_tiles(a, scratch);
  avx512::kTable.attention(a, scratch);
}

}  // namespace

constinit const Table kTable = {
    .name = "amx",
    .supported = supported,
    .product_forms = product_forms,
    .prepare_group = prepare_group,
    .matmul_scratch = matmul_scratch,
    .matmul = matmul,
    .attention_scratch = attention_scratch,
    .attention = attention,
};

}  // namespace ashlar::kernels::amx
#endif
