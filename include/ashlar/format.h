// Number formats of weights, and of keys and values.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ashlar {

enum class Format : uint8_t {
  f32,
  f16,
  bf16,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,  // ggml, blocks of 32
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,  // ggml, blocks of 256
  iq4_nl,
  iq4_xs,
  mxfp4,     // ggml
  fp8_b128,  // 128 values: float32 scale, then 128 e4m3fn bytes (132 bytes)
  int4_g32,  // 32 values: bfloat16 scale, then 16 bytes, value 2b low nibble of byte b, offset 8
             // (18 bytes)
  count_
};

/// The format of that name ("q4_k", case does not matter), if there is one.
std::optional<Format> format_named(std::string_view name);
/// Its name: "q4_k".
std::string_view to_string(Format format);

}  // namespace ashlar
