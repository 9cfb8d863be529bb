// The tensor types of GGUF: their numbers, names and block sizes, also of those Ashlar does not
// read.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tensor/format.h"

namespace ashlar {

struct GgufTensorType {
  uint32_t id;
  std::string_view name;
  int block_len;
  int block_bytes;
  std::optional<Format> format;  // empty: known, but not read as weights
};

/// Null for a number nobody has given a meaning.
const GgufTensorType* gguf_tensor_type(uint32_t id);
/// Null for formats GGUF does not have (fp8_b128, int4_g32).
const GgufTensorType* gguf_tensor_type(Format format);

}  // namespace ashlar
