// The types of GGUF: of metadata, and of tensors with their numbers, names and block sizes, also
// those Ashlar does not read.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tensor/format.h"

namespace ashlar {

/// The type numbers of GGUF's metadata.
enum class GgufType : uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  string,
  array,
  u64,
  i64,
  f64
};

/// Calls f with a value of the C++ type that holds a number or a boolean of this GGUF type (u64: int64_t).
template <class F>
auto with_number(GgufType type, const F& f) {
  switch (type) {
    case GgufType::u8:
    case GgufType::boolean:
      return f(uint8_t{});
    case GgufType::i8:
      return f(int8_t{});
    case GgufType::u16:
      return f(uint16_t{});
    case GgufType::i16:
      return f(int16_t{});
    case GgufType::u32:
      return f(uint32_t{});
    case GgufType::i32:
      return f(int32_t{});
    case GgufType::f32:
      return f(float{});
    case GgufType::f64:
      return f(double{});
    default:
      return f(int64_t{});
  }
}

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
