// X <- a X + (b A + c A A) X with A = X X^T, on the side of X that is shorter.
#include "train/newton_schulz.h"

#include <algorithm>
#include <cmath>

namespace ashlar {
namespace {

enum Slot : size_t { kX = ProductSpace::kFree, kA, kB };

}  // namespace

MatrixShape matrix_shape(const Param& p) {
  MatrixShape shape{1, p.rows(), p.cols()};
  if (p.role == Role::expert || (p.row_axes > 1 && p.axes[0].name == "experts")) {
    shape.matrices = p.axes[0].size;
    shape.rows /= shape.matrices;
  }
  return shape;
}

bool is_hidden_matrix(const Param& p) {
  const bool matrix =
      p.role == Role::projection || p.role == Role::router || p.role == Role::expert;
  return matrix && p.row_axes > 0 && p.axes[0].name != "vocab";
}

void orthogonalise(float* x, int64_t rows, int64_t cols, int64_t iterations,
                   const Products& products, ProductSpace& space) {
  constexpr float kFactorX = 3.4445f, kFactorA = -4.7750f, kFactorAA = 2.0315f, kEps = 1e-7f;
  const int64_t m = std::min(rows, cols), count = rows * cols;
  const bool turn = rows > cols;
  double square = 0;
  for (int64_t i = 0; i < count; ++i) square += static_cast<double>(x[i]) * x[i];
  const auto factor = static_cast<float>(1 / (std::sqrt(square) + kEps));
  for (int64_t i = 0; i < count; ++i) x[i] *= factor;
  float *next = space.floats(kX, count), *a = space.floats(kA, m * m), *b = space.floats(kB, m * m);
  for (int64_t i = 0; i < iterations; ++i) {
    // Of the shorter side: X X^T, or with more rows than columns X^T X.
    products.multiply({.m = m,
                       .n = m,
                       .k = std::max(rows, cols),
                       .a = turn ? transposed(x, cols) : rows_of(x, cols),
                       .b = turn ? rows_of(x, cols) : transposed(x, cols),
                       .c = a},
                      Numbers::f32, space);
    products.multiply({.m = m, .n = m, .k = m, .a = rows_of(a, m), .b = rows_of(a, m), .c = b},
                      Numbers::f32, space);
    for (int64_t k = 0; k < m * m; ++k) b[k] = kFactorA * a[k] + kFactorAA * b[k];
    for (int64_t k = 0; k < m; ++k) b[k * m + k] += kFactorX;
    products.multiply({.m = rows,
                       .n = cols,
                       .k = m,
                       .a = turn ? rows_of(x, cols) : rows_of(b, m),
                       .b = turn ? rows_of(b, m) : rows_of(x, cols),
                       .c = next},
                      Numbers::f32, space);
    std::copy_n(next, count, x);
  }
}

}  // namespace ashlar
