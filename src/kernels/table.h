// Kernels: the hot loops, as one table of functions per instruction set. Raw pointers and sizes
// only.
//
// Kernels are serial over the range they are given; whoever calls them owns threads. A table is
// chosen once (at planning) with table(); tests and benchmarks go through all of tables().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "tensor/format.h"

namespace ashlar::kernels {

/// How a row of activations lies in memory for a matrix product.
enum class Activation : uint8_t {
  f32,    // plain float32: exact against f32, f16 and bf16 weights
  bf16,   // bfloat16, round to nearest even
  q8,     // int8 blocks with scales; its insides belong to the kernels
  tiles,  // bfloat16 in groups of kTokenGroup rows side by side: rows are prepared by the group
};

/// How the rows of a weight lie in memory for a matrix product.
enum class Packing : uint8_t {
  rows,    // one after the other, as files have them
  panels,  // Table::panel_rows of them side by side, packed once: numbers in their own format, blocks
           // as the kernels unpack them
};

/// A way in which a table computes products with a weight.
struct ProductForm {
  int64_t tokens = 1;  // the least number of tokens that it is for
  Packing packing = Packing::rows;
  Activation activation = Activation::f32;  // how it takes the input
  /// Rows that keep the kernel efficient: callers split a weight at multiples of this.
  int64_t rows = 1;
};

/// Calls of at least so many tokens give a token the same sums, to the bit, however many others
/// there are: callers may split the tokens of a product into blocks no smaller than this.
inline constexpr int64_t kLeastTokenBlock = 64;

/// Tokens of a group of Activation::tiles: it has the bytes of so many rows, whether they are there
/// or not, and lies where the first of them would. Callers begin blocks of tokens at whole groups.
inline constexpr int64_t kTokenGroup = 16;

/// y[t, r] = sum over c of x[t, c] * w[r, c] (+ bias[r]), r in [row_begin, row_end), t in [0,
/// tokens).
struct MatMul {
  const std::byte* w = nullptr;  // row 0 of the weight
  int64_t w_row_bytes = 0;
  const std::byte* panels = nullptr;  // the whole weight in panels, read instead; null: none
  int64_t cols = 0;                   // input width
  int64_t row_begin = 0, row_end = 0;
  const std::byte* x = nullptr;  // prepared activations
  int64_t x_row_bytes = 0;
  const int32_t* x_rows = nullptr;  // row of x for token t; null: t itself, as for tiles always
  int64_t tokens = 0;
  float* y = nullptr;  // y[t * y_stride + r]
  int64_t y_stride = 0;
  const float* bias = nullptr;  // indexed by r; null: none
};

enum class RopeLayout : uint8_t { half, interleaved };  // pairs (j, j + D/2) or (2j, 2j + 1)
enum class Gate : uint8_t {
  silu,       // silu(g) * u                                    SwiGLU
  gelu_tanh,  // gelu_tanh(g) * u                               GeGLU
  clamped,    // (clamp(u, +-limit) + 1) * g' * sigmoid(alpha g'), g' = min(g, limit)   gpt-oss
};
enum class Unary : uint8_t { gelu_tanh, silu, sigmoid, relu, gelu };  // gelu: by erf

/// Attention of consecutive query tokens of one sequence against its remembered keys and values:
///   s = scale * q.k; s = softcap * tanh(s / softcap) if softcap > 0; s *= score_factor[t] if
///   given; softmax over the visible keys (and the sink, which has no value); o = sum p v.
/// Query t has position first + t and sees key j iff j <= position, j > position - window (window >
/// 0), j / chunk == position / chunk (chunk > 0). The keys of all those positions have been
/// written.
struct Attention {
  const float* q = nullptr;  // q[t * q_token_stride + h * q_head_stride + i], i < k_dim
  int64_t q_token_stride = 0, q_head_stride = 0;
  int64_t heads = 1;  // query heads that share this key head (or some of them)
  int64_t tokens = 0;
  int64_t first = 0;  // position of query 0
  int64_t k_dim = 0, v_dim = 0;
  /// Of keys and values: f32, f16, bf16 or, where dimensions are multiples of 32, q8_0.
  Format state = Format::f32;
  /// Page p holds positions p * page_tokens .., a power of two of them (so that no row costs a
  /// division); may be null below the window.
  const std::byte* const* k_pages = nullptr;
  /// Each points at this head's row of the page's first position.
  const std::byte* const* v_pages = nullptr;
  int64_t page_tokens = 0;
  int64_t k_row_bytes = 0, v_row_bytes = 0;  // from one position to the next in a page
  int64_t window = 0, chunk = 0;             // 0: none
  float scale = 1, softcap = 0;
  const float* sinks = nullptr;         // [heads]; null: none
  const float* score_factor = nullptr;  // [tokens]; null: none
  float* out = nullptr;  // out[t * out_token_stride + h * out_head_stride + i], i < v_dim
  int64_t out_token_stride = 0, out_head_stride = 0;
  /// May queries, keys, values and softmax weights be rounded to bfloat16 on their way into
  /// products? Only where the state is not float32.
  bool rounded = false;
  /// A part of the keys, positions key_begin .. key_end - 1, without sinks: `partials` takes its
  /// sums instead of `out`, for merge_attention. null: all keys.
  float* partials = nullptr;
  int64_t key_begin = 0, key_end = 0;
};

/// What attention leaves of a part of the keys, by row t * heads + h: sum of e^(s - top) v, v_dim
/// floats, then top, the largest score, and the sum of e^(s - top). Rows are so many floats apart.
inline constexpr int64_t partial_floats(int64_t v_dim) { return (v_dim + 2 + 15) / 16 * 16; }

/// Parts of the keys, in their order, to the whole: row r of part p at partials[(p rows + r)
/// partial_floats(v_dim)].
struct AttentionMerge {
  const float* partials = nullptr;
  int64_t parts = 0;
  int64_t heads = 1, tokens = 0, v_dim = 0;
  const float* sinks = nullptr;  // [heads]; null: none
  float* out = nullptr;          // as in Attention
  int64_t out_token_stride = 0, out_head_stride = 0;
};

/// What a page of a state keeps for each of `tokens` positions: a key row of k_dim and a value row
/// of v_dim numbers for each of `heads`, or, latent, one row of k_dim numbers whose first v_dim are
/// the value.
struct StateShape {
  Format format = Format::f32;
  int64_t heads = 1, k_dim = 0, v_dim = 0;
  bool latent = false;
  int64_t tokens = 0;
};

/// Where the page keeps them: the key row of head h at position i of the page begins at byte
/// h * k_head_bytes + i * k_row_bytes, the value row at v_at + h * v_head_bytes + i * v_row_bytes.
struct StatePage {
  int64_t k_head_bytes = 0, k_row_bytes = 0;
  int64_t v_at = 0, v_head_bytes = 0, v_row_bytes = 0;
  int64_t bytes = 0;  // no more than the rows take
};

struct Table {
  std::string_view name;  // "generic", "avx2", "avx512", ...
  bool (*supported)();    // can this CPU run it?

  /// The forms of products with a weight of this format, by rising `tokens`, the first from 1 on;
  /// of one number of tokens first that with rows, then that with panels. What is not among them
  /// matmul computes too, only slower.
  std::span<const ProductForm> (*product_forms)(Format weight);
  /// Bytes of one prepared row; x_row_bytes is at least this, rows start 64-byte aligned.
  int64_t (*activation_bytes)(Activation, int64_t cols);
  /// Prepares one row of activations.
  void (*prepare)(Activation, const float* x, std::byte* out, int64_t cols);
  /// Prepares the first `rows` rows of a group of Activation::tiles, `step` floats apart; null: no
  /// form takes tiles.
  void (*prepare_group)(const float* x, int64_t step, int64_t rows, std::byte* out,
                        int64_t cols) = nullptr;
  /// Scratch that one call of matmul may use, of any number of tokens; 64-byte aligned.
  int64_t (*matmul_scratch)(Format weight, int64_t cols);
  void (*matmul)(Format weight, Activation, const MatMul&, std::byte* scratch);
  int64_t panel_rows = 0;  // 0: no form has panels
  /// Bytes of a panel of a weight whose forms have panels, a multiple of 4.
  int64_t (*panel_bytes)(Format weight, int64_t cols) = nullptr;
  /// Packs a weight into whole panels. Sums are those of rows.
  void (*pack_panels)(Format weight, const std::byte* w, int64_t row_bytes, int64_t rows,
                      int64_t cols, std::byte* out) = nullptr;

  // Rows of n floats; w may be null where a norm has no weight; y may be x.
  void (*rms_norm)(const float* x, const float* w, float* y, int64_t n, float eps);
  void (*layer_norm)(const float* x, const float* w, const float* b, float* y, int64_t n,
                     float eps);
  void (*gated)(Gate, const float* gate, const float* up, float* y, int64_t n, float alpha,
                float limit);
  void (*unary)(Unary, const float* x, float* y, int64_t n);
  void (*add)(const float* a, const float* b, float* y, int64_t n);
  void (*multiply)(const float* a, const float* b, float* y, int64_t n);
  void (*scale)(const float* x, float factor, float* y, int64_t n);
  void (*add_scaled)(const float* x, float factor, float* y, int64_t n);  // y += factor * x
  void (*softcap)(const float* x, float cap, float* y, int64_t n);        // cap * tanh(x / cap)
  void (*softmax)(const float* x, float* y, int64_t n);
  /// Rotates the first 2 * pairs values of x in place; cos and sin hold `pairs` values each.
  void (*rope)(RopeLayout, float* x, const float* cos, const float* sin, int64_t pairs);
  /// Writes n floats as a row of the state format.
  void (*store)(Format state, const float* x, std::byte* out, int64_t n);
  /// The layout of pages that attention reads.
  StatePage (*state_page)(const StateShape&);
  int64_t (*attention_scratch)(const Attention&);
  void (*attention)(const Attention&, std::byte* scratch);
  void (*merge_attention)(const AttentionMerge&);
};

/// The form of a table's list for so many tokens of a weight in rows.
inline const ProductForm& form_for(std::span<const ProductForm> forms, int64_t tokens) {
  size_t i = forms.size() - 1;
  while (i > 0 && (forms[i].tokens > tokens || forms[i].packing != Packing::rows)) --i;
  return forms[i];
}

/// Prepares `rows` rows, `step` floats apart, in any form: row t lies at out + t row_bytes, or its
/// group at the place of the group's first.
inline void prepare_rows(const Table& table, Activation form, const float* x, int64_t step,
                         int64_t rows, std::byte* out, int64_t row_bytes, int64_t cols) {
  const int64_t each = form == Activation::tiles ? kTokenGroup : 1;
  for (int64_t t = 0; t < rows; t += each, x += each * step, out += each * row_bytes) {
    if (form == Activation::tiles)
      table.prepare_group(x, step, rows - t < each ? rows - t : each, out, cols);
    else
      table.prepare(form, x, out, cols);
  }
}

/// Every table compiled in, generic first, best last; whether this CPU can run one is its
/// supported().
std::span<const Table* const> tables();

/// The table of that name, or with an empty name the one $ASHLAR_KERNELS names, or the best this
/// CPU runs. Error(invalid) for an unknown name, Error(unsupported) when this CPU cannot run it.
const Table& table(std::string_view name = {});

}  // namespace ashlar::kernels
