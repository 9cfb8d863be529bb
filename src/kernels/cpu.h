// What this CPU can run, and what of it is fast.
#pragma once

namespace ashlar::kernels {

bool cpu_has_avx2();    // with FMA and F16C
bool cpu_has_avx512();  // F, BW, VL, DQ, VNNI

/// vdpbf16ps exists and beats float32: twice its rate on AMD (Zen 4 on), half of it on Intel's
/// server cores.
bool cpu_has_fast_bf16();

}  // namespace ashlar::kernels
