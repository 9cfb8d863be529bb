// Target regions: the code between ASHLAR_TARGET_BEGIN(features) and ASHLAR_TARGET_END is compiled
// for more than the baseline CPU.
//
// Inside a region: only our own functions, intrinsics and builtins, in the region's own namespace
// and with internal linkage. No std:: code, no lambdas, no #include of anything but our .inl files:
// an inline function compiled with a region's instructions could be the copy that the linker keeps
// for everybody. tools/check_isa_symbols.sh looks for that in the object files.
#pragma once

#define ASHLAR_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define ASHLAR_TARGET_BEGIN(features) \
  ASHLAR_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define ASHLAR_TARGET_END _Pragma("clang attribute pop")
#else
#define ASHLAR_TARGET_BEGIN(features) \
  _Pragma("GCC push_options") ASHLAR_PRAGMA(GCC target(features))
#define ASHLAR_TARGET_END _Pragma("GCC pop_options")
#endif

#define ASHLAR_INLINE inline __attribute__((always_inline))
