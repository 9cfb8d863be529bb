// The loops of limits.h, each in a region compiled for its instruction set.
#include "measure/limits.h"

#include <vector>

#include "kernels/cpu.h"
#include "kernels/target.h"

#if defined(__x86_64__)
// amx_tiles.inl defines more than is used here.
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-const-variable"
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace ashlar {
namespace {

// Results go here, so that no loop is dead code.
volatile float float_sink = 0;
volatile int64_t int_sink = 0;

// The compiler may know nothing of a chain's value: clang computed sums of constants beforehand.
#if defined(__aarch64__)
#define ASHLAR_UNKNOWN(value) __asm__ volatile("" : "+w"(value))
#else
#define ASHLAR_UNKNOWN(value) __asm__ volatile("" : "+x"(value))
#endif

constexpr int kChains = 12;  // independent sums: latency times rate of all these CPUs is below

void fma_generic(int64_t rounds) {
  float_sink = 0.5f;
  const float half = float_sink;  // or the compiler would know the result
  float a[kChains];
  for (int k = 0; k < kChains; ++k) a[k] = static_cast<float>(k);
  for (int64_t i = 0; i < rounds; ++i) {
    for (float& v : a) v = v * half + half;
  }
  for (const float v : a) float_sink = float_sink + v;
}

void read_generic(const std::byte* data, int64_t bytes) {
  const auto* p = reinterpret_cast<const int64_t*>(data);
  int64_t a = 0, b = 0, c = 0, d = 0;
  for (int64_t i = 0; i + 4 <= bytes / 8; i += 4) {
    a ^= p[i];
    b ^= p[i + 1];
    c ^= p[i + 2];
    d ^= p[i + 3];
  }
  int_sink = a ^ b ^ c ^ d;
}

}  // namespace
}  // namespace ashlar

#if defined(__x86_64__)
ASHLAR_TARGET_BEGIN("avx2,fma")
namespace ashlar {
namespace {
void read_avx2(const std::byte* p, int64_t bytes) {
  __m256i a[4] = {};
  for (int64_t i = 0; i + 128 <= bytes; i += 128) {
    _mm_prefetch(reinterpret_cast<const char*>(p + i + 4096), _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(p + i + 4160), _MM_HINT_T0);
    for (int j = 0; j < 4; ++j) {
      a[j] = _mm256_xor_si256(a[j],
                              _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + i + 32 * j)));
    }
  }
  const __m256i all = _mm256_xor_si256(_mm256_xor_si256(a[0], a[1]), _mm256_xor_si256(a[2], a[3]));
  int_sink = _mm256_extract_epi64(all, 0);
}
void fma_avx2(int64_t rounds) {
  __m256 a[kChains];
  for (auto& v : a) {
    v = _mm256_set1_ps(1.0f);
    ASHLAR_UNKNOWN(v);
  }
  const __m256 x = _mm256_set1_ps(0.5f);
  for (int64_t i = 0; i < rounds; ++i)
    for (auto& v : a) v = _mm256_fmadd_ps(v, x, x);
  for (auto& v : a) float_sink = float_sink + _mm256_cvtss_f32(v);
}
void int8_avx2(int64_t rounds) {
  __m256i a[kChains];
  for (auto& v : a) {
    v = _mm256_setzero_si256();
    ASHLAR_UNKNOWN(v);
  }
  __m256i x = _mm256_set1_epi8(1);
  const __m256i one = _mm256_set1_epi16(1);
  for (int64_t i = 0; i < rounds; ++i) {
    ASHLAR_UNKNOWN(x);  // or the product would be taken out of the loop
    for (auto& v : a) v = _mm256_add_epi32(v, _mm256_madd_epi16(_mm256_maddubs_epi16(x, x), one));
  }
  for (auto& v : a) int_sink = int_sink + _mm256_extract_epi32(v, 0);
}
}  // namespace
}  // namespace ashlar
ASHLAR_TARGET_END
ASHLAR_TARGET_BEGIN("avx512f,avx512vnni,avx512bf16")
namespace ashlar {
namespace {
void read_avx512(const std::byte* p, int64_t bytes) {
  __m512i a[4];
  for (auto& v : a) v = _mm512_setzero_si512();
  for (int64_t i = 0; i + 256 <= bytes; i += 256) {
    for (int j = 0; j < 4; ++j) {
      _mm_prefetch(reinterpret_cast<const char*>(p + i + 4096 + 64 * j), _MM_HINT_T0);
      a[j] = _mm512_xor_si512(a[j], _mm512_loadu_si512(p + i + 64 * j));
    }
  }
  const __m512i all = _mm512_xor_si512(_mm512_xor_si512(a[0], a[1]), _mm512_xor_si512(a[2], a[3]));
  int_sink = _mm512_cvtsi512_si32(all);
}
void fma_avx512(int64_t rounds) {
  __m512 a[kChains];
  for (auto& v : a) {
    v = _mm512_set1_ps(1.0f);
    ASHLAR_UNKNOWN(v);
  }
  const __m512 x = _mm512_set1_ps(0.5f);
  for (int64_t i = 0; i < rounds; ++i)
    for (auto& v : a) v = _mm512_fmadd_ps(v, x, x);
  for (auto& v : a) float_sink = float_sink + _mm512_cvtss_f32(v);
}
void bf16_avx512(int64_t rounds) {
  __m512 a[kChains];
  for (auto& v : a) {
    v = _mm512_set1_ps(1.0f);
    ASHLAR_UNKNOWN(v);
  }
  const auto x = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x3f003f00));
  for (int64_t i = 0; i < rounds; ++i)
    for (auto& v : a) v = _mm512_dpbf16_ps(v, x, x);
  for (auto& v : a) float_sink = float_sink + _mm512_cvtss_f32(v);
}
void int8_avx512(int64_t rounds) {
  __m512i a[kChains];
  for (auto& v : a) {
    v = _mm512_set1_epi32(1);
    ASHLAR_UNKNOWN(v);
  }
  const __m512i x = _mm512_set1_epi8(1);
  for (int64_t i = 0; i < rounds; ++i)
    for (auto& v : a) v = _mm512_dpbusd_epi32(v, x, x);
  for (auto& v : a) int_sink = int_sink + _mm512_cvtsi512_si32(v);
}
}  // namespace
}  // namespace ashlar
ASHLAR_TARGET_END
ASHLAR_TARGET_BEGIN("avx512f,amx-tile,amx-int8,amx-bf16")
namespace ashlar {
namespace {
#include "kernels/amx_tiles.inl"

// begin_tiles() sets all tiles to zero (ldtilecfg does).
void int8_amx(int64_t rounds) {
  begin_tiles();
  for (int64_t i = 0; i < rounds; ++i) {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  end_tiles();
}
void bf16_amx(int64_t rounds) {
  begin_tiles();
  for (int64_t i = 0; i < rounds; ++i) {
    add_tiles<0, 4, 6>();
    add_tiles<1, 4, 7>();
    add_tiles<2, 5, 6>();
    add_tiles<3, 5, 7>();
  }
  end_tiles();
}
/// Both operands pass by in L2: `each` bytes of each.
void bf16_amx_from(const std::byte* left, const std::byte* right, int64_t each, int64_t rounds) {
  begin_tiles();
  for (int64_t i = 0, at = 0; i < rounds; ++i, at = at + 2048 < each ? at + 2048 : 0) {
    load_tile<4>(left + at);
    load_tile<6>(right + at);
    add_tiles<0, 4, 6>();
    load_tile<5>(left + at + 1024);
    add_tiles<2, 5, 6>();
    load_tile<7>(right + at + 1024);
    add_tiles<1, 4, 7>();
    add_tiles<3, 5, 7>();
  }
  end_tiles();
}
}  // namespace
}  // namespace ashlar
ASHLAR_TARGET_END

namespace ashlar {
namespace {
void bf16_amx_l2(int64_t rounds) {
  constexpr int64_t kEach = 384 << 10;  // more than L1, less than L2
  thread_local const std::vector<std::byte> memory(2 * kEach + 64);
  const auto address = reinterpret_cast<uintptr_t>(memory.data());
  const std::byte* data = memory.data() + (64 - address % 64) % 64;
  bf16_amx_from(data, data + kEach, kEach, rounds);
}
}  // namespace
}  // namespace ashlar
#endif
#if defined(__aarch64__)
namespace ashlar {
namespace {
constexpr int kNeonChains = 24;  // up to four pipes, four cycles each

void fma_neon(int64_t rounds) {
  float32x4_t a[kNeonChains];
  for (auto& v : a) {
    v = vdupq_n_f32(1);
    ASHLAR_UNKNOWN(v);
  }
  const float32x4_t x = vdupq_n_f32(0.5f);
  for (int64_t i = 0; i < rounds; ++i)
    for (auto& v : a) v = vfmaq_f32(x, v, x);
  for (auto& v : a) float_sink = float_sink + vgetq_lane_f32(v, 0);
}
ASHLAR_TARGET_BEGIN("arch=armv8.2-a+dotprod")
void int8_neon(int64_t rounds) {
  int32x4_t a[kNeonChains];
  for (auto& v : a) {
    v = vdupq_n_s32(0);
    ASHLAR_UNKNOWN(v);
  }
  int8x16_t x = vdupq_n_s8(1);
  for (int64_t i = 0; i < rounds; ++i) {
    ASHLAR_UNKNOWN(x);  // or the product would be taken out of the loop
    for (auto& v : a) v = vdotq_s32(v, x, x);
  }
  for (auto& v : a) int_sink = int_sink + vgetq_lane_s32(v, 0);
}
ASHLAR_TARGET_END
}  // namespace
}  // namespace ashlar
#endif
#undef ASHLAR_UNKNOWN

namespace ashlar {
namespace {

std::vector<ComputeLoop> find_loops() {
  std::vector<ComputeLoop> loops;
#if defined(__x86_64__)
  if (kernels::cpu_has_avx512()) {
    loops.push_back({"f32", "avx512", 2 * 16 * kChains, fma_avx512});
    if (__builtin_cpu_supports("avx512bf16"))
      loops.push_back({"bf16", "avx512_bf16", 2 * 32 * kChains, bf16_avx512});
    loops.push_back({"int8", "avx512_vnni", 2 * 64 * kChains, int8_avx512});
  }
  if (kernels::cpu_has_avx2()) {
    loops.push_back({"f32", "avx2", 2 * 8 * kChains, fma_avx2});
    loops.push_back({"int8", "avx2", 2 * 32 * kChains, int8_avx2});
  }
  if (kernels::cpu_has_tiles()) {
    loops.push_back({"bf16", "amx", 4 * 2 * 16 * 16 * 32, bf16_amx});
    loops.push_back({"bf16", "amx_l2", 4 * 2 * 16 * 16 * 32, bf16_amx_l2});
    loops.push_back({"int8", "amx", 4 * 2 * 16 * 16 * 64, int8_amx});
  }
#elif defined(__aarch64__)
  loops.push_back({"f32", "neon", 2 * 4 * kNeonChains, fma_neon});
  if (kernels::cpu_has_dot())
    loops.push_back({"int8", "neon_dot", 2 * 16 * kNeonChains, int8_neon});
#endif
  loops.push_back({"f32", "generic", 2 * kChains, fma_generic});
  return loops;
}

}  // namespace

std::span<const ComputeLoop> compute_loops() {
  static const std::vector<ComputeLoop> loops = find_loops();
  return loops;
}

void read_all(const std::byte* data, int64_t bytes) {
#if defined(__x86_64__)
  if (kernels::cpu_has_avx512()) return read_avx512(data, bytes);
  if (kernels::cpu_has_avx2()) return read_avx2(data, bytes);
#endif
  read_generic(data, bytes);
}

}  // namespace ashlar
