// Formats: how the numbers of a weight lie in memory, row by row.
//
// A row of `n` values is n / block_len consecutive blocks of block_bytes each. Everything else of
// Ashlar treats a format as this data plus two functions; only kernels know the insides of a block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "ashlar/format.h"

namespace ashlar {

inline constexpr int kFormats = static_cast<int>(Format::count_);

struct FormatInfo {
  std::string_view name;  // "q4_k": the spelling of the command line
  int block_len;          // values per block
  int block_bytes;
  bool exact;  // f32, f16, bf16: to float32 and back changes nothing
  /// Dequantises n values (a multiple of block_len), bit for bit as the format's reference does.
  void (*to_f32)(const void* blocks, float* values, int64_t n);
  /// Quantises n values; null where Ashlar reads a format but does not write it.
  void (*from_f32)(const float* values, void* blocks, int64_t n);
};

const FormatInfo& info(Format format);

/// Bytes of a row of `n` values; n must be a multiple of the block length (asserted).
inline int64_t row_bytes(Format format, int64_t n) {
  const FormatInfo& f = info(format);
  return n / f.block_len * f.block_bytes;
}

}  // namespace ashlar
