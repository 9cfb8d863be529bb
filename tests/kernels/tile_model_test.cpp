// The software model of the tile instructions (or the hardware, where there is some) against plain
// loops over the architecture's rules.
#include <gtest/gtest.h>

#include "kernels/target.h"
#include "support/tile_model.h"

#if defined(__x86_64__)
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "kernels/cpu.h"

namespace ashlar::test {
namespace {

struct alignas(64) Configuration {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes[16] = {};
  uint8_t rows[16] = {};
};

ASHLAR_TARGET_BEGIN("avx512f,avx512bf16,amx-tile,amx-bf16,amx-int8")
void configure(const Configuration& c) { __asm__ volatile("ldtilecfg %0" : : "m"(c)); }
void store_configuration(Configuration& c) { __asm__ volatile("sttilecfg %0" : "=m"(c)); }
void release() { __asm__ volatile("tilerelease"); }
void load(int tile, const void* p, int64_t stride) {
  switch (tile) {
    case 0:
      __asm__ volatile("tileloadd (%0,%1,1), %%tmm0" : : "r"(p), "r"(stride) : "memory");
      break;
    case 1:
      __asm__ volatile("tileloaddt1 (%0,%1,1), %%tmm1" : : "r"(p), "r"(stride) : "memory");
      break;
    default:
      __asm__ volatile("tileloadd (%0,%1,1), %%tmm7" : : "r"(p), "r"(stride) : "memory");
  }
}
/// Addresses with displacements and scales, in the registers that need extensions.
void load_indirectly(const char* p, int64_t stride) {
  register const char* base asm("r13") = p - 0x12345;
  register int64_t index asm("r14") = stride / 4;
  __asm__ volatile("tileloadd 0x12345(%0,%1,4), %%tmm1" : : "r"(base), "r"(index) : "memory");
  register const char* near asm("r12") = p + 5;
  __asm__ volatile("tileloadd -5(%0,%1,4), %%tmm7" : : "r"(near), "r"(index) : "memory");
}
void store_indirectly(char* p, int64_t stride) {
  register char* base asm("rbp") = p - 64;
  register int64_t index asm("r9") = stride / 2;
  __asm__ volatile("tilestored %%tmm0, 64(%0,%1,2)" : : "r"(base), "r"(index) : "memory");
}
void store(void* p, int64_t stride) {
  __asm__ volatile("tilestored %%tmm0, (%0,%1,1)" : : "r"(p), "r"(stride) : "memory");
}
void zero() { __asm__ volatile("tilezero %%tmm0" ::); }
void multiply(int kind) {
  switch (kind) {
    case 0:
      __asm__ volatile("tdpbf16ps %%tmm7, %%tmm1, %%tmm0" ::);
      break;
    case 1:
      __asm__ volatile("tdpbssd %%tmm7, %%tmm1, %%tmm0" ::);
      break;
    case 2:
      __asm__ volatile("tdpbsud %%tmm7, %%tmm1, %%tmm0" ::);
      break;
    case 3:
      __asm__ volatile("tdpbusd %%tmm7, %%tmm1, %%tmm0" ::);
      break;
    default:
      __asm__ volatile("tdpbuud %%tmm7, %%tmm1, %%tmm0" ::);
  }
}
/// After an instruction that no CPU performs, so that the model is asked on every one. `low` and
/// `high` have 16 floats: from registers, from memory at a distance, from memory by an index, or one
/// number of memory for all of `low`.
void convert(int kind, const float* low, const float* high, uint16_t* out) {
  register const float* near asm("r13") = low - 16;
  register const char* far asm("r12") = reinterpret_cast<const char*>(near) - 0x1234;
  register int64_t index asm("r14") = 8;
  switch (kind) {
    case 0:
      __asm__ volatile(
          "vmovups (%0), %%zmm2\n vmovups (%1), %%zmm17\n ud2\n"
          "vcvtne2ps2bf16 %%zmm2, %%zmm17, %%zmm30\n vmovups %%zmm30, (%2)"
          :
          : "r"(low), "r"(high), "r"(out)
          : "memory", "xmm2", "xmm17", "xmm30");
      break;
    case 1:
      __asm__ volatile(
          "vmovups (%1), %%zmm9\n ud2\n"
          "vcvtne2ps2bf16 64(%0), %%zmm9, %%zmm9\n vmovups %%zmm9, (%2)"
          :
          : "r"(near), "r"(high), "r"(out)
          : "memory", "xmm9");
      break;
    case 2:
      __asm__ volatile(
          "vmovups (%1), %%zmm31\n ud2\n"
          "vcvtne2ps2bf16 0x1234(%0,%3,8), %%zmm31, %%zmm1\n vmovups %%zmm1, (%2)"
          :
          : "r"(far), "r"(high), "r"(out), "r"(index)
          : "memory", "xmm1", "xmm31");
      break;
    default:
      __asm__ volatile(
          "vmovups (%1), %%zmm16\n ud2\n"
          "vcvtne2ps2bf16 4(%0)%{1to16%}, %%zmm16, %%zmm3\n vmovups %%zmm3, (%2)"
          :
          : "r"(low - 1), "r"(high), "r"(out)
          : "memory", "xmm3", "xmm16");
  }
}
/// tdpbf16ps of tile 1 and tile 1: the encoding exists, the processor refuses it.
void multiply_by_itself() { __asm__ volatile(".byte 0xc4, 0xe2, 0x72, 0x5c, 0xc1"); }
ASHLAR_TARGET_END

class TileModelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!TileModel::possible() && !kernels::cpu_has_tiles())
      GTEST_SKIP() << "neither tiles nor AVX-512 for their model";
    real_ = kernels::cpu_has_tiles();
    TileModel::forget_fault();
  }
  void TearDown() override { EXPECT_EQ(TileModel::fault(), ""); }

  TileModel model_;
  bool real_ = false;
};

float widen(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
/// Denormals are zeros.
float flush(float v) { return std::fpclassify(v) == FP_SUBNORMAL ? std::copysign(0.0f, v) : v; }

/// rows x pairs times pairs x words, starting from `sums`.
void plain_bf16(int rows, int pairs, int words, const uint16_t* a, const uint16_t* b, float* sums) {
  for (int m = 0; m < rows; ++m) {
    for (int n = 0; n < words; ++n) {
      float sum[2] = {0, 0};
      for (int k = 0; k < pairs; ++k)
        for (int i = 0; i < 2; ++i)
          sum[i] = flush(std::fma(flush(widen(a[m * 32 + 2 * k + i])),
                                  flush(widen(b[k * 32 + 2 * n + i])), sum[i]));
      float& c = sums[m * 16 + n];
      c = flush(flush(c) + flush(sum[0] + sum[1]));
    }
  }
}

TEST_F(TileModelTest, ProductsOfBfloat16OfEveryShape) {
  std::mt19937 random(1);
  for (const auto [rows, pairs, words] :
       {std::array{16, 16, 16}, {1, 1, 1}, {5, 16, 3}, {16, 7, 16}, {9, 2, 11}}) {
    Configuration c;
    c.rows[0] = c.rows[1] = static_cast<uint8_t>(rows);
    c.rows[7] = static_cast<uint8_t>(pairs);
    c.bytes[0] = c.bytes[7] = static_cast<uint16_t>(4 * words);
    c.bytes[1] = static_cast<uint16_t>(4 * pairs);
    alignas(64) uint16_t a[16 * 32], b[16 * 32];
    alignas(64) float sums[256], found[256];
    for (auto* v : {a, b})
      for (int i = 0; i < 512; ++i) {
        // Any exponent near one, some denormals, both signs.
        const auto bits = static_cast<uint16_t>(random());
        v[i] = i % 13 == 0 ? bits & 0x807f : static_cast<uint16_t>((bits & 0x83ff) | 0x3e00);
      }
    for (float& s : sums) s = static_cast<float>(random() % 100) * 0.37f;
    std::memcpy(found, sums, sizeof sums);
    configure(c);
    load(0, found, 64);
    load_indirectly(reinterpret_cast<const char*>(a), 64);  // into tiles 1 and 7
    load(2, b, 64);
    multiply(0);
    multiply(0);
    store_indirectly(reinterpret_cast<char*>(found), 64);
    release();
    plain_bf16(rows, pairs, words, a, b, sums);
    plain_bf16(rows, pairs, words, a, b, sums);
    for (int i = 0; i < 256; ++i) {
      if (real_)  // the hardware may add in another order
        ASSERT_NEAR(found[i], sums[i], 1e-4) << rows << " " << pairs << " " << words << " at " << i;
      else
        ASSERT_EQ(found[i], sums[i]) << rows << " " << pairs << " " << words << " at " << i;
    }
  }
}

TEST_F(TileModelTest, DenormalsAreZeros) {
  Configuration c;
  for (const int t : {0, 1, 7}) {
    c.rows[t] = 16;
    c.bytes[t] = 64;
  }
  alignas(64) uint16_t a[512] = {}, b[512] = {};
  alignas(64) float sums[256] = {};
  a[0] = 0x0040;  // denormal, times 2^127
  b[0] = 0x7f00;
  a[32] = 0x0080;  // 2^-126 times 1/2 leaves the normal numbers
  b[2] = 0x3f00;
  sums[2] = 1e-40f;  // a denormal sum
  configure(c);
  load(0, sums, 64);
  load(1, a, 64);
  load(2, b, 64);
  multiply(0);
  store(sums, 64);
  release();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(sums[i], 0.0f) << i;
  EXPECT_EQ(sums[16], 0x1p-126f * 0x1p127f);
  EXPECT_EQ(sums[17], 0.0f);
}

TEST_F(TileModelTest, ProductsOfBytes) {
  std::mt19937 random(2);
  Configuration c;
  for (const int t : {0, 1, 7}) {
    c.rows[t] = 16;
    c.bytes[t] = 64;
  }
  alignas(64) uint8_t a[1024], b[1024];
  for (auto* v : {a, b})
    for (int i = 0; i < 1024; ++i) v[i] = static_cast<uint8_t>(random());
  for (int kind = 1; kind <= 4; ++kind) {
    alignas(64) int32_t found[256];
    configure(c);
    zero();
    load(1, a, 64);
    load(2, b, 64);
    multiply(kind);
    store(found, 64);
    release();
    const auto number = [](uint8_t v, bool is_signed) {
      return is_signed ? static_cast<int>(static_cast<int8_t>(v)) : static_cast<int>(v);
    };
    for (int m = 0; m < 16; ++m)
      for (int n = 0; n < 16; ++n) {
        int sum = 0;
        for (int k = 0; k < 64; ++k)
          sum += number(a[m * 64 + k], kind <= 2) *
                 number(b[k / 4 * 64 + 4 * n + k % 4], kind == 1 || kind == 3);
        ASSERT_EQ(found[m * 16 + n], sum) << kind;
      }
  }
}

TEST_F(TileModelTest, LoadsByStrideAndZerosBeyondTheShape) {
  Configuration c, back;
  c.rows[0] = 3;
  c.bytes[0] = 20;
  std::vector<uint8_t> memory(3 * 100, 9), out(16 * 64, 7);
  for (int r = 0; r < 3; ++r)
    for (int i = 0; i < 20; ++i)
      memory[static_cast<size_t>(r * 100 + i)] = static_cast<uint8_t>(r * 20 + i);
  configure(c);
  store_configuration(back);
  EXPECT_EQ(std::memcmp(&c, &back, sizeof c), 0);
  load(0, memory.data(), 100);
  store(out.data(), 64);
  release();
  store_configuration(back);
  EXPECT_EQ(back.palette, 0);
  for (int r = 0; r < 16; ++r)
    for (int i = 0; i < 64; ++i)
      EXPECT_EQ(out[static_cast<size_t>(r * 64 + i)], r < 3 && i < 20 ? r * 20 + i : 7);
}

TEST_F(TileModelTest, ThreadsHaveTilesOfTheirOwn) {
  Configuration c;
  c.rows[0] = 1;
  c.bytes[0] = 4;
  const auto keep = [&](int32_t value) {
    int wrong = 0;
    for (int i = 0; i < 100; ++i) {
      configure(c);
      int32_t found = 0;
      load(0, &value, 64);
      std::this_thread::yield();
      store(&found, 64);
      release();
      wrong += found != value;
    }
    EXPECT_EQ(wrong, 0);
  };
  std::thread other(keep, 5);
  keep(6);
  other.join();
}

TEST_F(TileModelTest, WhatTheArchitectureForbidsIsAFault) {
  if (real_) GTEST_SKIP() << "the hardware ends the program";
  const auto fault = [](auto f) {
    TileModel::forget_fault();
    f();
    const std::string found = TileModel::fault();
    TileModel::forget_fault();
    return found;
  };
  float memory[256] = {};
  EXPECT_NE(fault([&] { load(0, memory, 64); }), "");  // not configured
  EXPECT_NE(fault([&] {
              Configuration c;
              c.rows[0] = 17;
              c.bytes[0] = 64;
              configure(c);
            }),
            "");
  EXPECT_NE(fault([&] {
              Configuration c;
              c.palette = 2;
              configure(c);
            }),
            "");
  Configuration c;
  for (const int t : {0, 1, 7}) {
    c.rows[t] = 16;
    c.bytes[t] = 64;
  }
  c.rows[7] = 8;  // 16 pairs in a row meet 8 rows
  configure(c);
  EXPECT_NE(fault([&] { multiply(0); }), "");
  EXPECT_NE(fault([&] { multiply_by_itself(); }), "");
  EXPECT_EQ(fault([&] { load(0, memory, 64); }), "");
  release();
  EXPECT_EQ(fault([&] {
              Configuration none;
              none.palette = 0;
              configure(none);
            }),
            "");
}

TEST_F(TileModelTest, ConversionsToBfloat16) {
  std::mt19937 random(3);
  for (int kind = 0; kind < 4; ++kind) {
    for (int round = 0; round < 50; ++round) {
      float low[16], high[16];
      uint16_t expected[32], found[32] = {};
      for (int i = 0; i < 32; ++i) {
        auto bits = static_cast<uint32_t>(random());
        if (i % 5 == 0) bits = (bits & 0xffff0000u) | 0x8000u;       // a tie
        if (i % 7 == 0) bits &= 0x807fffffu;                         // a denormal
        if (i % 11 == 0) bits = (bits & 0x807fffffu) | 0x7f800000u;  // not a number
        if (i == 12) bits = 0x7f7fffffu;                             // rounds to infinity
        (i < 16 ? low[i] : high[i - 16]) = std::bit_cast<float>(bits);
      }
      for (int i = 0; i < 32; ++i) {
        const float v = i < 16 ? low[kind == 3 ? 0 : i] : high[i - 16];
        const auto bits = std::bit_cast<uint32_t>(v);
        uint32_t rounded = bits >> 16;
        if (std::fpclassify(v) == FP_SUBNORMAL)
          rounded &= 0x8000u;
        else if (std::isnan(v))
          rounded |= 0x40u;
        else if ((bits & 0xffffu) > 0x8000u || ((bits & 0xffffu) == 0x8000u && (rounded & 1) != 0))
          ++rounded;
        expected[i] = static_cast<uint16_t>(rounded);
      }
      convert(kind, low, high, found);
      for (int i = 0; i < 32; ++i) ASSERT_EQ(found[i], expected[i]) << kind << " at " << i;
    }
  }
}

TEST_F(TileModelTest, InstructionsAreCounted) {
  if (real_) GTEST_SKIP() << "the hardware performs them";
  const int64_t before = TileModel::performed();
  release();
  EXPECT_EQ(TileModel::performed(), before + 1);
}

}  // namespace
}  // namespace ashlar::test
#endif
