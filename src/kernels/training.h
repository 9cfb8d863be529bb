// Kernels of training, one table per instruction set: products of operands in any order of their
// axes, packed before, and rows. Serial over the range they are given, like those of table.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ashlar::kernels {

/// What products compute with. Sums are float32, of f64 double; results are float32.
enum class Numbers : uint8_t { f32, bf16, f64 };

/// c[i, j] = start[i, j] + bias[j] + sum over words of a[i, .] b[., j], of packed operands.
struct TileProduct {
  const std::byte* a = nullptr;   // of the first tile; further ones follow
  int64_t a_tile = 0;             // words from tile to tile
  int64_t a_row = 0, a_word = 0;  // words from row to row and from word to word within a tile
  const std::byte* panel = nullptr;
  int64_t words = 0;
  int64_t rows = 0, cols = 0;  // of c; cols at most a panel's
  float* c = nullptr;
  int64_t c_stride = 0;
  const float* start = nullptr;  // null: 0; may be c
  int64_t start_stride = 0;
  const float* bias = nullptr;  // null: 0
};

/// Products with one kind of numbers. A word is what is broadcast at once: a number, of bf16 two
/// neighbours along the sum.
struct ProductKernels {
  int64_t tile_rows = 0;   // of a, at most, in a tile
  int64_t panel_cols = 0;  // of b in a panel: panel[words][panel_cols]
  int64_t word_bytes = 0, per_word = 0;
  /// Rows of a whose sums run along memory, or lie beside each other (tile[words][tile_rows]); at
  /// most tile_rows of them. Rows along memory have room for 16 words more.
  void (*pack_rows)(const float* a, int64_t row_stride, int64_t rows, int64_t k, std::byte* tile,
                    int64_t tile_row);
  void (*pack_columns)(const float* a, int64_t k_stride, int64_t rows, int64_t k, std::byte* tile);
  /// Where tiles must have their sums along memory: as pack_rows of what pack_columns takes.
  void (*pack_columns_as_rows)(const float* a, int64_t k_stride, int64_t rows, int64_t k,
                               std::byte* tile, int64_t tile_row) = nullptr;
  /// A panel of b[k, cols] of which one row lies beside the next, or one column does.
  void (*pack_panel)(const float* b, int64_t k_stride, int64_t cols, int64_t k, std::byte* panel);
  void (*pack_panel_transposed)(const float* b, int64_t col_stride, int64_t cols, int64_t k,
                                std::byte* panel);
  void (*multiply)(const TileProduct&);
};

struct TrainingTable {
  std::string_view name;  // of the Table it goes with
  ProductKernels f32, f64, bf16;
  bool fast_bf16 =
      false;  // bf16 is faster than f32; else operands are rounded and multiplied as f32
  const ProductKernels& of(Numbers n) const {
    return n == Numbers::f64 ? f64 : n == Numbers::bf16 ? bf16 : f32;
  }
};

/// For a table's name (kernels/table.h).
const TrainingTable& training_table(std::string_view table);

namespace generic {
extern const TrainingTable kTraining;
}
#if defined(__x86_64__)
namespace avx2 {
extern const TrainingTable kTraining;
}
namespace avx512 {
extern const TrainingTable kTraining;
extern const ProductKernels kTrainingBf16;
}  // namespace avx512
namespace amx {
extern const ProductKernels kTrainingBf16;
}
#elif defined(__aarch64__)
namespace neon {
extern const TrainingTable kTraining;
}
#endif

}  // namespace ashlar::kernels
