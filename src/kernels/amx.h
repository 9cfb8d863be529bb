// What the files of the table "amx" give each other.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/table.h"

namespace ashlar::kernels::amx {

/// Attention of at least kTileAttentionRows rows (tokens times heads) over a 16-bit state, rounded.
inline constexpr int64_t kTileAttentionRows = 16;
void attention_in_tiles(const Attention& a, std::byte* scratch);
int64_t attention_tiles_scratch(const Attention& a);

}  // namespace ashlar::kernels::amx
