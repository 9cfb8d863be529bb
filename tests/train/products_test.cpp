// Products of training, in every kernel table, against plain sums.
#include "train/products.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "support/op_inputs.h"
#include "support/with_tiles.h"
#include "tensor/scalar.h"

namespace ashlar::testing {
namespace {

/// Every order of axes, sizes that fill no tile, what sums begin with; on all threads, on one, and
/// with the right operand packed before. Of bfloat16 every table multiplies the same rounded numbers.
TEST(Products, AnyOrderOfAxesAndAnySize) {
  const test::WithTiles tiles;
  struct Size {
    int64_t m, n, k;
  };
  for (const kernels::Table* table : kernels::tables()) {
    if (!table->supported()) continue;
    Products products(*table, 3);
    for (const Numbers numbers : {Numbers::f32, Numbers::f64, Numbers::bf16}) {
      for (const auto& [m, n, k] :
           {Size{1, 1, 1}, Size{13, 33, 7}, Size{40, 70, 1100}, Size{150, 20, 65}}) {
        const auto values = [](int64_t count, uint64_t seed) {
          return filled<float>({Kind::real, {{"n", count}}}, TokenBatch{}, seed).values;
        };
        const std::vector<float> a = values(m * k, 1), b = values(k * n, 2),
                                 start = values(m * n, 3), bias = values(n, 4);
        for (int order = 0; order < 8; ++order) {
          Product p{.m = m, .n = n, .k = k};
          p.a = (order & 1) != 0 ? transposed(a.data(), m) : rows_of(a.data(), k);
          p.b = (order & 2) != 0 ? transposed(b.data(), k) : rows_of(b.data(), n);
          if ((order & 4) != 0) {
            p.start = start.data();
            p.bias = bias.data();
          }
          std::vector<float> all(static_cast<size_t>(m * n)), one(all), packed(all);
          p.c = all.data();
          products.multiply(p, numbers);
          ProductSpace space;
          p.c = one.data();
          products.multiply(p, numbers, space);
          EXPECT_EQ(all, one);
          p.c = packed.data();
          products.multiply(p, products.pack(p.b, k, n, numbers, space, ProductSpace::kFree), 0,
                            numbers, space);
          const auto number = [&](float v) {
            return double(numbers == Numbers::bf16 ? bf16_to_f32(f32_to_bf16(v)) : v);
          };
          // Sums of k numbers below 1 in size grow with its root.
          const double tolerance = 2e-6 * (1 + std::sqrt(static_cast<double>(k)));
          for (int64_t i = 0; i < m; ++i) {
            for (int64_t j = 0; j < n; ++j) {
              double sum = (order & 4) != 0 ? start[i * n + j] + double(bias[j]) : 0;
              for (int64_t c = 0; c < k; ++c)
                sum += number(p.a.at[i * p.a.row + c * p.a.col]) *
                       number(p.b.at[c * p.b.row + j * p.b.col]);
              ASSERT_NEAR(all[i * n + j], sum, tolerance) << m << " " << n << " " << k;
              ASSERT_NEAR(packed[i * n + j], sum, tolerance);
            }
          }
        }
      }
    }
  }
  EXPECT_TRUE(tiles.used() || !tiles.there());
}

TEST(Products, ErrorsOfTasksReachTheCaller) {
  Products products(kernels::table("generic"), 3);
  EXPECT_THROW(products.each(100,
                             [](int64_t i, ProductSpace&) {
                               if (i == 57) fail(ErrorKind::invalid, "task {}", i);
                             }),
               Error);
}

}  // namespace
}  // namespace ashlar::testing
