// What this CPU can run, and what of it is fast.
#pragma once

namespace ashlar::kernels {

bool cpu_has_avx2();    // with FMA and F16C
bool cpu_has_avx512();  // F, BW, VL, DQ, VNNI

/// vdpbf16ps exists and beats float32: twice its rate on AMD (Zen 4 on), half of it on Intel's
/// server cores.
bool cpu_has_fast_bf16();

/// There are tiles (AMX, with bfloat16 and int8), and the system lets this process use them, which
/// is asked once; or assume_tiles.
bool cpu_has_tiles();

/// For tests: something else performs the instructions of tiles from now on, or no longer.
void assume_tiles(bool there);

}  // namespace ashlar::kernels
