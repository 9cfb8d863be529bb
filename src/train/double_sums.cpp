// One loop over tiles, compiled for each instruction set. A tile's sums stay in registers while
// rows of x and w are read once per tile. The order of a sum depends on the length of the rows
// alone: not on the tile, nor on the threads.
#include "train/double_sums.h"

#include <cstring>

#include "kernels/target.h"

namespace ashlar {
namespace {

/// kLanes doubles that are computed with at once; where a CPU has fewer, the compiler splits them.
template <int kLanes>
struct Lanes {
  using Vector __attribute__((vector_size(kLanes * sizeof(double)))) = double;
};

template <int kLanes, int kX, int kW>
ASHLAR_INLINE void tile(const DoubleProduct& p, int64_t i, int64_t j) {
  using Vector = typename Lanes<kLanes>::Vector;
  Vector sums[kX][kW];
  __builtin_memset(sums, 0, sizeof(sums));
  const double* x = p.x + i * p.k;
  const double* w = p.w + j * p.k;
  for (int64_t c = 0; c < p.k; c += kLanes) {
    Vector ws[kW];
    for (int b = 0; b < kW; ++b) __builtin_memcpy(&ws[b], w + b * p.k + c, sizeof(Vector));
    for (int a = 0; a < kX; ++a) {
      Vector xs;
      __builtin_memcpy(&xs, x + a * p.k + c, sizeof(Vector));
      for (int b = 0; b < kW; ++b) sums[a][b] += xs * ws[b];
    }
  }
  for (int a = 0; a < kX; ++a) {
    for (int b = 0; b < kW; ++b) {
      double sum = p.bias != nullptr ? p.bias[j + b] : 0;
      for (int l = 0; l < kLanes; ++l) sum += sums[a][b][l];
      p.y[(i + a) * p.y_stride + j + b] = static_cast<float>(sum);
    }
  }
}

template <int kLanes, int kX, int kW>
ASHLAR_INLINE void tiles(const DoubleProduct& p) {
  int64_t j = 0;
  for (; j + kW <= p.n; j += kW) {
    int64_t i = 0;
    for (; i + kX <= p.m; i += kX) tile<kLanes, kX, kW>(p, i, j);
    for (; i < p.m; ++i) tile<kLanes, 1, kW>(p, i, j);
  }
  for (; j < p.n; ++j) {
    for (int64_t i = 0; i < p.m; ++i) tile<kLanes, 1, 1>(p, i, j);
  }
}

void generic(const DoubleProduct& p) { tiles<2, 2, 2>(p); }
#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) void avx2(const DoubleProduct& p) { tiles<4, 3, 4>(p); }
__attribute__((target("avx512f"))) void avx512(const DoubleProduct& p) { tiles<8, 4, 6>(p); }
#endif

}  // namespace

DoubleKernel double_kernel(std::string_view table) {
#if defined(__x86_64__)
  if (table == "avx2") return avx2;
  if (table.starts_with("avx512")) return avx512;
#endif
  static_cast<void>(table);
  return generic;
}

}  // namespace ashlar
