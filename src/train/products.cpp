// Tiles of products, dealt out to threads.
#include "train/products.h"

#include <algorithm>

#include "base/round_up.h"

namespace ashlar {
namespace {

constexpr int64_t kTile = 32;      // of a transpose: 4 KB in, 4 KB out
constexpr int64_t kRowsOfX = 512;  // of one task
constexpr int64_t kRowsOfW = 192;  // of one task, about; a multiple of the kernels' grain

constexpr int64_t kWidenedRows = 24;  // rows of w held as doubles: 4 tiles, within the L2 cache

/// A row as doubles, filled up with zeros.
void widen(const float* from, std::byte* to, int64_t k) {
  auto* row = reinterpret_cast<double*>(to);
  for (int64_t c = 0; c < k; ++c) row[c] = from[c];
  std::fill(row + k, row + round_up(k, kDoubleGrain), 0.0);
}

}  // namespace

void transpose(const float* in, float* out, int64_t rows, int64_t cols, int64_t stride) {
  if (stride == 0) stride = cols;
  for (int64_t r = 0; r < rows; r += kTile) {
    for (int64_t c = 0; c < cols; c += kTile) {
      const int64_t r_end = std::min(rows, r + kTile), c_end = std::min(cols, c + kTile);
      for (int64_t j = c; j < c_end; ++j) {
        for (int64_t i = r; i < r_end; ++i) out[j * rows + i] = in[i * stride + j];
      }
    }
  }
}

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

void Products::each(int64_t n, const std::function<void(int64_t, ProductSpace&)>& f) {
  pool_.each(n, [&](int64_t i, int thread) { f(i, spaces_[static_cast<size_t>(thread)]); });
}

int64_t Products::row_bytes(int64_t k) const {
  if (in_double_ != nullptr)
    return round_up(k, kDoubleGrain) * static_cast<int64_t>(sizeof(double));
  return round_up(table_.activation_bytes(kernels::Activation::f32, k), 64);
}

void Products::prepare(const RowProduct& p, int64_t begin, int64_t end, std::byte* rows) const {
  const int64_t bytes = row_bytes(p.k);
  if (in_double_ != nullptr) {
    for (int64_t i = begin; i < end; ++i)
      widen(p.x + i * (p.x_stride > 0 ? p.x_stride : p.k), rows + i * bytes, p.k);
    return;
  }
  for (int64_t i = begin; i < end; ++i)
    table_.prepare(kernels::Activation::f32, p.x + i * (p.x_stride > 0 ? p.x_stride : p.k),
                   rows + i * bytes, p.k);
}

void Products::run(const RowProduct& p, const std::byte* rows, int64_t bytes, int64_t x_begin,
                   int64_t x_end, int64_t w_begin, int64_t w_end, ProductSpace& space) const {
  if (in_double_ != nullptr) {
    std::byte* w = space.bytes(ProductSpace::kWeights, kWidenedRows * bytes);
    for (int64_t j = w_begin; j < w_end; j += kWidenedRows) {
      const int64_t n = std::min(kWidenedRows, w_end - j);
      for (int64_t r = 0; r < n; ++r)
        widen(p.w + (j + r) * (p.w_stride > 0 ? p.w_stride : p.k), w + r * bytes, p.k);
      const int64_t y_stride = p.y_stride > 0 ? p.y_stride : p.n;
      in_double_({.x = reinterpret_cast<const double*>(rows + x_begin * bytes),
                  .w = reinterpret_cast<const double*>(w),
                  .y = p.y + x_begin * y_stride + j,
                  .m = x_end - x_begin,
                  .n = n,
                  .k = bytes / static_cast<int64_t>(sizeof(double)),
                  .y_stride = y_stride,
                  .bias = p.bias != nullptr ? p.bias + j : nullptr});
    }
    return;
  }
  kernels::MatMul m;
  m.w = reinterpret_cast<const std::byte*>(p.w);
  m.w_row_bytes = (p.w_stride > 0 ? p.w_stride : p.k) * 4;
  m.cols = p.k;
  m.row_begin = w_begin;
  m.row_end = w_end;
  m.x = rows + x_begin * bytes;
  m.x_row_bytes = bytes;
  m.tokens = x_end - x_begin;
  m.y_stride = p.y_stride > 0 ? p.y_stride : p.n;
  m.y = p.y + x_begin * m.y_stride;
  m.bias = p.bias;
  std::byte* scratch = space.bytes(ProductSpace::kScratch, table_.matmul_scratch(Format::f32, p.k));
  table_.matmul(Format::f32, kernels::Activation::f32, m, scratch);
}

void Products::multiply(const RowProduct& p) {
  if (p.m == 0 || p.n == 0) return;
  const int64_t bytes = row_bytes(p.k);
  std::byte* rows = shared_.bytes(ProductSpace::kRows, p.m * bytes);
  const int64_t x_tasks = (p.m + kRowsOfX - 1) / kRowsOfX;
  each(x_tasks, [&](int64_t i, ProductSpace&) {
    prepare(p, i * kRowsOfX, std::min(p.m, (i + 1) * kRowsOfX), rows);
  });
  const int64_t grain =
      kernels::form_for(table_.product_forms(Format::f32), std::min(p.m, kRowsOfX)).rows;
  const int64_t w_rows = round_up(kRowsOfW, grain), w_tasks = (p.n + w_rows - 1) / w_rows;
  each(x_tasks * w_tasks, [&](int64_t task, ProductSpace& space) {
    const int64_t x = task % x_tasks * kRowsOfX, w = task / x_tasks * w_rows;
    run(p, rows, bytes, x, std::min(p.m, x + kRowsOfX), w, std::min(p.n, w + w_rows), space);
  });
}

void Products::multiply(const RowProduct& p, ProductSpace& space) const {
  if (p.m == 0 || p.n == 0) return;
  const int64_t bytes = row_bytes(p.k);
  std::byte* rows = space.bytes(ProductSpace::kRows, p.m * bytes);
  prepare(p, 0, p.m, rows);
  run(p, rows, bytes, 0, p.m, 0, p.n, space);
}

}  // namespace ashlar
