// Formats of which an engine keeps keys and values.
#pragma once

#include "tensor/format.h"

namespace ashlar {

/// q8_0 where every head has a multiple of 32 numbers.
inline bool is_state_format(Format f) {
  return f == Format::f32 || f == Format::f16 || f == Format::bf16 || f == Format::q8_0;
}

}  // namespace ashlar
