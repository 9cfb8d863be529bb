// What this CPU can run, and what of it is fast.
#pragma once

namespace ashlar::kernels {

bool cpu_has_avx2();    // with FMA and F16C
bool cpu_has_avx512();  // F, BW, VL, DQ, VNNI

bool cpu_has_dot();  // Arm: dot products of four bytes

/// vdpbf16ps exists and beats float32: twice its rate on AMD (Zen 4 on), half of it on Intel's
/// server cores.
bool cpu_has_fast_bf16();

/// There are tiles (AMX, with bfloat16 and int8; AVX-512 converts to bfloat16), and the system lets
/// this process use them, which is asked once; or assume_tiles.
bool cpu_has_tiles();

/// For tests: something else performs the instructions of tiles from now on, or no longer.
void assume_tiles(bool there);

/// Memory is read faster as two streams at once than as one. One core of Emerald Rapids, q8_0 rows
/// of 1,024 columns, 2 MB pages: 9.2 GB/s as one stream, 12.0 as two; two cores 16 and 27. A core of
/// Zen 4 reads one stream at 25 GB/s, and gains nothing.
bool cpu_likes_two_streams();
/// Attention of few rows is faster where memory is asked for keys and values ahead: on Intel, and on
/// AMD from Zen 5 on.
bool cpu_likes_rows_ahead();

}  // namespace ashlar::kernels
