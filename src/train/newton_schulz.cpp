// X <- a X + (b A + c A A) X with A = X X^T, on the side of X that is shorter.
#include "train/newton_schulz.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "train/products.h"

namespace ashlar {
namespace {

/// y [m, n] = x [m, k] w [n, k]^T, in the order of rows; the compiler unrolls over n.
void multiply(const float* x, const float* wt, float* y, int64_t m, int64_t n, int64_t k) {
  for (int64_t i = 0; i < m; ++i) {
    float* row = y + i * n;
    for (int64_t j = 0; j < n; ++j) row[j] = 0;
    for (int64_t c = 0; c < k; ++c) {
      const float value = x[i * k + c];
      const float* from = wt + c * n;
      for (int64_t j = 0; j < n; ++j) row[j] += value * from[j];
    }
  }
}

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

void orthogonalise(float* x, int64_t rows, int64_t cols, int64_t iterations) {
  constexpr float kA = 3.4445f, kB = -4.7750f, kC = 2.0315f, kEps = 1e-7f;
  const bool turn = rows > cols;
  const int64_t m = turn ? cols : rows, n = turn ? rows : cols;
  const auto count = static_cast<size_t>(m * n);
  std::vector<float> y(count), yt(count), next(count), a(static_cast<size_t>(m * m)), aa(a.size());
  if (turn)
    transpose(x, y.data(), rows, cols);
  else
    std::copy_n(x, count, y.begin());
  double square = 0;
  for (const float v : y) square += static_cast<double>(v) * v;
  const auto factor = static_cast<float>(1 / (std::sqrt(square) + kEps));
  for (float& v : y) v *= factor;
  for (int64_t i = 0; i < iterations; ++i) {
    transpose(y.data(), yt.data(), m, n);
    multiply(y.data(), yt.data(), a.data(), m, m, n);
    multiply(a.data(), a.data(), aa.data(), m, m, m);  // a is its own transpose
    for (size_t k = 0; k < a.size(); ++k) aa[k] = kB * a[k] + kC * aa[k];
    multiply(aa.data(), y.data(), next.data(), m, n, m);
    for (size_t k = 0; k < count; ++k) y[k] = kA * y[k] + next[k];
  }
  if (turn)
    transpose(y.data(), x, m, n);
  else
    std::copy_n(y.begin(), count, x);
}

}  // namespace ashlar
