// Matrix products of float32 on all cores, their sums in double or, by the kernels' products of
// rows with rows, in float32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/table.h"
#include "train/double_sums.h"

namespace ashlar {

/// y[i, j] = sum over c of x[i, c] w[j, c] (+ bias[j]), x [m, k], w [n, k], y [m, n].
struct RowProduct {
  const float* x = nullptr;
  const float* w = nullptr;
  float* y = nullptr;
  int64_t m = 0, n = 0, k = 0;
  const float* bias = nullptr;                       // [n]; null: none
  int64_t x_stride = 0, w_stride = 0, y_stride = 0;  // from row to row; 0: contiguous
};

/// [rows, cols], rows `stride` apart (0: contiguous) -> [cols, rows].
void transpose(const float* in, float* out, int64_t rows, int64_t cols, int64_t stride = 0);

/// What one thread needs for products: grows as needed, is never shared.
class ProductSpace {
 public:
  std::byte* bytes(size_t slot, int64_t count);  // 64-byte aligned
  float* floats(size_t slot, int64_t count) {
    return reinterpret_cast<float*>(bytes(slot, count * 4));
  }
  static constexpr size_t kScratch = 0, kRows = 1, kWeights = 2,
                          kFree = 3;  // slots from kFree on are the user's

 private:
  std::vector<std::vector<std::byte>> slots_;
};

class Products {
 public:
  Products(const kernels::Table& table, int threads, bool float32_sums = false)
      : table_(table),
        in_double_(float32_sums ? nullptr : double_kernel(table.name)),
        pool_(threads, Pinning::helpers),
        spaces_(static_cast<size_t>(pool_.size())) {}

  bool float32_sums() const { return in_double_ == nullptr; }
  std::string_view table_name() const { return table_.name; }
  /// Calls f(i, space) for i in [0, n), on all threads; the first exception is thrown again.
  void each(int64_t n, const std::function<void(int64_t, ProductSpace&)>& f);
  /// One product on all threads.
  void multiply(const RowProduct& p);
  /// One product on the calling thread.
  void multiply(const RowProduct& p, ProductSpace& space) const;

 private:
  void prepare(const RowProduct& p, int64_t begin, int64_t end, std::byte* rows) const;
  void run(const RowProduct& p, const std::byte* rows, int64_t row_bytes, int64_t x_begin,
           int64_t x_end, int64_t w_begin, int64_t w_end, ProductSpace& space) const;
  int64_t row_bytes(int64_t k) const;

  const kernels::Table& table_;
  const DoubleKernel in_double_;  // null: sums in float32
  ThreadPool pool_;
  std::vector<ProductSpace> spaces_;
  ProductSpace shared_;
};

}  // namespace ashlar
