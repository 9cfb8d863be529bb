// Matrix products of float32 for training, on all cores or on the calling one: operands in any
// order of their axes are packed into panels and multiplied by the kernels of training.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/table.h"
#include "kernels/training.h"

namespace ashlar {

using kernels::Numbers;

/// A matrix in memory: element (i, j) is at[i * row + j * col]; row or col is 1.
struct Strided {
  const float* at = nullptr;
  int64_t row = 0, col = 1;
};
inline Strided rows_of(const float* at, int64_t width) { return {at, width, 1}; }
inline Strided transposed(const float* at, int64_t width) { return {at, 1, width}; }

/// c[i, j] = start[i, j] + bias[j] + sum over k of a[i, k] b[k, j].
struct Product {
  int64_t m = 0, n = 0, k = 0;
  Strided a, b;
  float* c = nullptr;
  int64_t c_row = 0;             // 0: n
  const float* start = nullptr;  // in rows like c; null: 0; may be c
  const float* bias = nullptr;   // [n]; null: 0
};

/// What one thread needs for products: grows as needed, is never shared.
class ProductSpace {
 public:
  std::byte* bytes(size_t slot, int64_t count);  // 64-byte aligned
  float* floats(size_t slot, int64_t count) {
    return reinterpret_cast<float*>(bytes(slot, count * 4));
  }
  int64_t size() const;
  static constexpr size_t kA = 0, kB = 1, kFree = 2;  // slots from kFree on are the user's

 private:
  std::vector<std::vector<std::byte>> slots_;
};

/// The right operand of several products.
struct Packed {
  const std::byte* panels = nullptr;
  int64_t panel_bytes = 0;
};

class Products {
 public:
  Products(const kernels::Table& table, int threads)
      : table_(table),
        kernels_(kernels::training_table(table.name)),
        pool_(threads, Pinning::helpers),
        spaces_(static_cast<size_t>(pool_.size())) {}

  const kernels::Table& table() const { return table_; }
  std::string_view table_name() const { return table_.name; }
  int threads() const { return pool_.size(); }
  /// Calls f(i, space) for i in [0, n), on all threads; the first exception is thrown again.
  template <class F>
  void each(int64_t n, const F& f) {
    if (pool_.size() == 1 || n == 1) {
      for (int64_t i = 0; i < n; ++i) f(i, spaces_[0]);
      return;
    }
    pool_.each(n, [&](int64_t i, int thread) { f(i, spaces_[static_cast<size_t>(thread)]); });
  }
  /// One product on all threads. Sums do not depend on their number.
  void multiply(const Product& p, Numbers numbers);
  /// One product on the calling thread.
  void multiply(const Product& p, Numbers numbers, ProductSpace& space) const;
  /// b [k, n] in panels, in a slot of the space, and products of m rows a[., begin : begin + k]
  /// with its rows from `begin` (even), of its first n columns.
  Packed pack(const Strided& b, int64_t k, int64_t n, Numbers numbers, ProductSpace& space,
              size_t slot) const;
  void multiply(const Product& p, const Packed& b, int64_t begin, Numbers numbers,
                ProductSpace& space) const;
  /// The columns of b from `column` on, a multiple of grain().
  Packed columns_from(const Packed& b, int64_t column, Numbers numbers) const {
    return {b.panels + column / kernels_.of(numbers).panel_cols * b.panel_bytes, b.panel_bytes};
  }
  /// Columns of a panel, of any numbers.
  int64_t grain() const { return kernels_.f32.panel_cols; }
  /// What tasks of one step share.
  ProductSpace& shared() { return shared_; }
  /// Bytes of what threads keep for products.
  int64_t space_bytes() const;

 private:
  const kernels::Table& table_;
  const kernels::TrainingTable& kernels_;
  ThreadPool pool_;
  std::vector<ProductSpace> spaces_;
  ProductSpace shared_;
};

}  // namespace ashlar
