// Panels and tiles of products, dealt out to threads.
#include "train/products.h"

#include <algorithm>

#include "base/round_up.h"

namespace ashlar {
namespace {

using kernels::ProductKernels;
using kernels::TileProduct;

constexpr int64_t kDepth = 512;      // words of a sum that are packed at once
constexpr int64_t kTilesAtOnce = 8;  // of rows that are packed for all panels

/// How rows of a lie in tiles.
struct Tiles {
  int64_t row = 0, word = 0, tile = 0;  // words
};
Tiles tiles_of(const ProductKernels& f, const Strided& a, int64_t words) {
  if (a.col != 1 && f.pack_columns_as_rows == nullptr) return {1, f.tile_rows, f.tile_rows * words};
  // Rows a multiple of 4 KiB apart would fall on each other in the cache.
  const int64_t row = round_up(words, 16) + 16;
  return {row, 1, row * f.tile_rows};
}

int64_t words_of(const ProductKernels& f, int64_t k) { return (k + f.per_word - 1) / f.per_word; }

/// Tiles [first, last) of rows of a, columns [k0, k0 + k), to `out`.
void pack_tiles(const ProductKernels& f, const Strided& a, int64_t m, int64_t k0, int64_t k,
                const Tiles& at, int64_t first, int64_t last, std::byte* out) {
  for (int64_t t = first; t < last; ++t, out += at.tile * f.word_bytes) {
    const int64_t begin = t * f.tile_rows, rows = std::min(f.tile_rows, m - begin);
    const float* from = a.at + begin * a.row + k0 * a.col;
    if (a.col == 1)
      f.pack_rows(from, a.row, rows, k, out, at.row);
    else if (f.pack_columns_as_rows != nullptr)
      f.pack_columns_as_rows(from, a.col, rows, k, out, at.row);
    else
      f.pack_columns(from, a.col, rows, k, out);
  }
}

void pack_one_panel(const ProductKernels& f, const Strided& b, int64_t n, int64_t k0, int64_t k,
                    int64_t panel, std::byte* out) {
  const int64_t begin = panel * f.panel_cols, cols = std::min(f.panel_cols, n - begin);
  const float* from = b.at + k0 * b.row + begin * b.col;
  if (b.col == 1)
    f.pack_panel(from, b.row, cols, k, out);
  else
    f.pack_panel_transposed(from, b.col, cols, k, out);
}

/// One panel with tiles of rows [begin, end).
void multiply_panel(const ProductKernels& f, const Product& p, const Tiles& at,
                    const std::byte* tiles, const std::byte* panel, int64_t words, bool first,
                    int64_t begin, int64_t end, int64_t panel_index) {
  const int64_t j = panel_index * f.panel_cols, c_row = p.c_row > 0 ? p.c_row : p.n;
  TileProduct t;
  t.a = tiles;
  t.a_tile = at.tile;
  t.a_row = at.row;
  t.a_word = at.word;
  t.panel = panel;
  t.words = words;
  t.rows = end - begin;
  t.cols = std::min(f.panel_cols, p.n - j);
  t.c = p.c + begin * c_row + j;
  t.c_stride = c_row;
  const float* start = first ? p.start : p.c;
  t.start = start == nullptr ? nullptr : start + begin * c_row + j;
  t.start_stride = c_row;
  t.bias = first && p.bias != nullptr ? p.bias + j : nullptr;
  f.multiply(t);
}

/// The smaller operand is packed for all, the larger one piece by piece by whoever multiplies it.
/// each(n, f) calls f(i, space).
template <class Each>
void multiply_by(const ProductKernels& f, const Product& p, bool in_double, int threads,
                 ProductSpace& shared, const Each& each) {
  if (p.m == 0 || p.n == 0) return;
  const int64_t depth = in_double ? std::max<int64_t>(p.k, 1) : kDepth * f.per_word;
  const int64_t tiles = (p.m + f.tile_rows - 1) / f.tile_rows,
                panels = (p.n + f.panel_cols - 1) / f.panel_cols;
  for (int64_t k0 = 0; k0 < std::max<int64_t>(p.k, 1); k0 += depth) {
    const int64_t k = std::min(depth, p.k - k0), words = words_of(f, k);
    const Tiles at = tiles_of(f, p.a, words);
    const int64_t tile_bytes = at.tile * f.word_bytes,
                  panel_bytes = words * f.panel_cols * f.word_bytes;
    if (p.m >= p.n) {
      std::byte* all = shared.bytes(ProductSpace::kB, panels * panel_bytes);
      each(panels, [&](int64_t j, ProductSpace&) {
        pack_one_panel(f, p.b, p.n, k0, k, j, all + j * panel_bytes);
      });
      const int64_t share = (tiles + 2 * threads - 1) / (2 * threads),
                    group = threads == 1 ? kTilesAtOnce : std::min(kTilesAtOnce, share);
      each((tiles + group - 1) / group, [&](int64_t i, ProductSpace& space) {
        const int64_t first = i * group, last = std::min(tiles, first + group);
        std::byte* mine = space.bytes(ProductSpace::kA, group * tile_bytes);
        pack_tiles(f, p.a, p.m, k0, k, at, first, last, mine);
        for (int64_t j = 0; j < panels; ++j)
          multiply_panel(f, p, at, mine, all + j * panel_bytes, words, k0 == 0, first * f.tile_rows,
                         std::min(p.m, last * f.tile_rows), j);
      });
    } else {
      std::byte* all = shared.bytes(ProductSpace::kA, tiles * tile_bytes);
      each((tiles + kTilesAtOnce - 1) / kTilesAtOnce, [&](int64_t i, ProductSpace&) {
        const int64_t first = i * kTilesAtOnce;
        pack_tiles(f, p.a, p.m, k0, k, at, first, std::min(tiles, first + kTilesAtOnce),
                   all + first * tile_bytes);
      });
      each(panels, [&](int64_t j, ProductSpace& space) {
        std::byte* mine = space.bytes(ProductSpace::kB, panel_bytes);
        pack_one_panel(f, p.b, p.n, k0, k, j, mine);
        multiply_panel(f, p, at, all, mine, words, k0 == 0, 0, p.m, j);
      });
    }
  }
}

}  // namespace

std::byte* ProductSpace::bytes(size_t slot, int64_t count) {
  constexpr size_t kAlignment = 64;
  if (slots_.size() <= slot) slots_.resize(slot + 1);
  std::vector<std::byte>& s = slots_[slot];
  const size_t wanted = static_cast<size_t>(count) + kAlignment;
  if (s.size() < wanted) {
    s.clear();  // nothing is copied
    s.resize(wanted);
  }
  const auto address = reinterpret_cast<uintptr_t>(s.data());
  return s.data() +
         (round_up(static_cast<int64_t>(address), kAlignment) - static_cast<int64_t>(address));
}

int64_t ProductSpace::size() const {
  int64_t size = 0;
  for (const std::vector<std::byte>& s : slots_) size += static_cast<int64_t>(s.size());
  return size;
}

int64_t Products::space_bytes() const {
  int64_t bytes = shared_.size();
  for (const ProductSpace& s : spaces_) bytes += s.size();
  return bytes;
}

void Products::multiply(const Product& p, Numbers numbers) {
  multiply_by(kernels_.of(numbers), p, numbers == Numbers::f64, threads(), shared_,
              [&](int64_t n, const auto& f) { each(n, f); });
}

void Products::multiply(const Product& p, Numbers numbers, ProductSpace& space) const {
  multiply_by(kernels_.of(numbers), p, numbers == Numbers::f64, 1, space,
              [&](int64_t n, const auto& f) {
                for (int64_t i = 0; i < n; ++i) f(i, space);
              });
}

Packed Products::pack(const Strided& b, int64_t k, int64_t n, Numbers numbers, ProductSpace& space,
                      size_t slot) const {
  const ProductKernels& f = kernels_.of(numbers);
  const int64_t panels = (n + f.panel_cols - 1) / f.panel_cols,
                panel_bytes = words_of(f, k) * f.panel_cols * f.word_bytes;
  std::byte* all = space.bytes(slot, panels * panel_bytes);
  for (int64_t j = 0; j < panels; ++j) pack_one_panel(f, b, n, 0, k, j, all + j * panel_bytes);
  return {all, panel_bytes};
}

void Products::multiply(const Product& p, const Packed& b, int64_t begin, Numbers numbers,
                        ProductSpace& space) const {
  const ProductKernels& f = kernels_.of(numbers);
  const int64_t words = words_of(f, p.k), tiles = (p.m + f.tile_rows - 1) / f.tile_rows,
                panels = (p.n + f.panel_cols - 1) / f.panel_cols;
  const Tiles at = tiles_of(f, p.a, words);
  std::byte* mine = space.bytes(ProductSpace::kA, tiles * at.tile * f.word_bytes);
  pack_tiles(f, p.a, p.m, 0, p.k, at, 0, tiles, mine);
  const int64_t skipped = begin / f.per_word * f.panel_cols * f.word_bytes;
  for (int64_t j = 0; j < panels; ++j)
    multiply_panel(f, p, at, mine, b.panels + j * b.panel_bytes + skipped, words, true, 0, p.m, j);
}

}  // namespace ashlar
