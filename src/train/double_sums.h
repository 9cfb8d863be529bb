// Products of rows with rows whose sums are taken in double: half as fast as the kernels' float32
// sums, and right to the last digit of a float32.
#pragma once

#include <cstdint>
#include <string_view>

namespace ashlar {

/// Numbers per row are rounded up to a multiple of this; what is beyond is 0.
constexpr int64_t kDoubleGrain = 8;

/// y[i, j] = sum over c of x[i, c] w[j, c] (+ bias[j]); x [m, k], w [n, k] in rows of k doubles,
/// 64-byte aligned, k a multiple of kDoubleGrain; y [m, n] in rows of y_stride floats.
struct DoubleProduct {
  const double *x = nullptr, *w = nullptr;
  float* y = nullptr;
  int64_t m = 0, n = 0, k = 0, y_stride = 0;
  const float* bias = nullptr;
};
using DoubleKernel = void (*)(const DoubleProduct&);

/// For the instruction set of a table of kernels (kernels/table.h).
DoubleKernel double_kernel(std::string_view table);

}  // namespace ashlar
