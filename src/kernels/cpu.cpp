// CPU features by the compiler's run-time checks, which also ask the operating system.
#include "kernels/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace ashlar::kernels {

#if defined(__x86_64__)
namespace {

bool has_f16c() {  // clang 14 knows no name for it
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & (1u << 29));
}

}  // namespace

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
#endif

}  // namespace ashlar::kernels
