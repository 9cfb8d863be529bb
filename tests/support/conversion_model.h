// A software model of the one instruction besides those of tiles that kernels for tiles need:
// VCVTNE2PS2BF16 of 512 bits, two registers of float32 to one of bfloat16.
#pragma once

#if defined(__x86_64__) && defined(__linux__)
#include <ucontext.h>

namespace ashlar::test {

/// Performs the instruction that a signal handler of SIGILL was called for, and lets the program go
/// on behind it; false, and nothing done, where it is another one. After a UD2 (which no program of
/// ours has but the model's own test) it is performed on every CPU. Without masks. Source: Intel 64
/// and IA-32 Software Developer's Manual, volumes 1 (13.4, the XSAVE area) and 2 (2.7, EVEX).
bool perform_conversion(ucontext_t& u);

}  // namespace ashlar::test
#endif
