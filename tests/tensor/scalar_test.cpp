// Small floats against arithmetic that is exact in double.
#include "tensor/scalar.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

namespace ashlar {
namespace {

// The value of a float with `exponent_bits` and `mantissa_bits`, by the definition of IEEE 754.
double ieee(uint32_t bits, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
  const int exponent = static_cast<int>((bits >> mantissa_bits) & ((1u << exponent_bits) - 1));
  const double sign = (bits >> (exponent_bits + mantissa_bits)) & 1 ? -1.0 : 1.0;
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp(mantissa + (1u << mantissa_bits), exponent - bias - mantissa_bits);
}

TEST(Scalar, EveryFloat16ToFloatAndBack) {
  for (uint32_t h = 0; h < 0x10000; ++h) {
    const auto half = static_cast<uint16_t>(h);
    const float f = f16_to_f32(half);
    if (((h >> 10) & 31) == 31) {
      EXPECT_EQ(std::isnan(f), (h & 0x3ff) != 0) << h;
      if (!std::isnan(f)) {
        EXPECT_EQ(f32_to_f16(f), half);
      } else {
        EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(f))));
      }
      continue;
    }
    ASSERT_EQ(static_cast<double>(f), ieee(h, 5, 10)) << h;
    ASSERT_EQ(f32_to_f16(f), half);
  }
}

TEST(Scalar, Float16RoundsToNearestEven) {
  for (uint32_t h = 0; h < 0x7bff; ++h) {
    const double low = ieee(h, 5, 10), high = ieee(h + 1, 5, 10);
    const auto middle = static_cast<float>((low + high) / 2);  // exact: one more bit than float16
    const auto even = static_cast<uint16_t>(h % 2 == 0 ? h : h + 1);
    ASSERT_EQ(f32_to_f16(middle), even) << h;
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, 0.0f)), h) << h;
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, 1e9f)), h + 1) << h;
    ASSERT_EQ(f32_to_f16(-middle), even | 0x8000) << h;
  }
  EXPECT_EQ(f32_to_f16(65519.996f), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
  EXPECT_EQ(f32_to_f16(1e30f), 0x7c00);
}

TEST(Scalar, Bfloat16RoundsToNearestEven) {
  for (uint32_t b = 0; b < 0x7f7f; ++b) {
    const auto low = static_cast<uint16_t>(b);
    ASSERT_EQ(f32_to_bf16(bf16_to_f32(low)), low);
    const float middle = std::bit_cast<float>((b << 16) | 0x8000u);
    ASSERT_EQ(f32_to_bf16(middle), b % 2 == 0 ? b : b + 1) << b;
    ASSERT_EQ(f32_to_bf16(std::bit_cast<float>((b << 16) | 0x7fffu)), b);
    ASSERT_EQ(f32_to_bf16(std::bit_cast<float>((b << 16) | 0x8001u)), b + 1);
  }
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7f80);
}

TEST(Scalar, EveryE4m3) {
  for (uint32_t v = 0; v < 256; ++v) {
    const float f = e4m3_to_f32(static_cast<uint8_t>(v));
    if ((v & 0x7f) == 0x7f) {
      EXPECT_TRUE(std::isnan(f));
    } else {
      EXPECT_EQ(static_cast<double>(f), ieee(v, 4, 3)) << v;
    }
  }
  EXPECT_EQ(e4m3_to_f32(0x7e), 448.0f);
}

}  // namespace
}  // namespace ashlar
