// CPU features by the compiler's run-time checks, which also ask the operating system.
#include "kernels/cpu.h"

#include <atomic>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace ashlar::kernels {
namespace {

std::atomic<bool> tiles_assumed{false};

}  // namespace

void assume_tiles(bool there) { tiles_assumed = there; }

#if defined(__x86_64__)
namespace {

bool has_f16c() {  // clang 14 knows no name for it
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & (1u << 29));
}

bool ask_for_tiles() {
#if defined(__linux__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 27))) return false;  // no XGETBV
  if (!__builtin_cpu_supports("avx512bf16")) return false;
  constexpr unsigned kTilesBf16Int8 = 1u << 24 | 1u << 22 | 1u << 25;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & kTilesBf16Int8) != kTilesBf16Int8)
    return false;
  unsigned low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr unsigned kKept = 1u << 17 | 1u << 18;  // the system keeps configuration and tiles
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM
  return (low & kKept) == kKept && syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

}  // namespace

bool cpu_has_tiles() {
  static const bool granted = ask_for_tiles();
  return granted || tiles_assumed;
}

bool cpu_has_avx2() {
  static const bool has =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  return has;
}

bool cpu_has_avx512() {
  static const bool has =
      cpu_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vnni");
  return has;
}

bool cpu_has_fast_bf16() {
  static const bool fast =
      cpu_has_avx512() && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_is("amd");
  return fast;
}

bool cpu_likes_two_streams() {
  static const bool likes = __builtin_cpu_is("intel");
  return likes;
}

bool cpu_likes_rows_ahead() {
  static const bool likes = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__builtin_cpu_is("intel")) return true;
    if (!__builtin_cpu_is("amd") || !__get_cpuid(1, &a, &b, &c, &d)) return false;
    return (a >> 8 & 15) + (a >> 20 & 255) >= 26;  // the family
  }();
  return likes;
}
#else
bool cpu_has_tiles() { return false; }
bool cpu_likes_two_streams() { return false; }
bool cpu_likes_rows_ahead() { return false; }
#endif

#if defined(__aarch64__)
bool cpu_has_dot() { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
#endif

}  // namespace ashlar::kernels
