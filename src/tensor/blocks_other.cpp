// Blocks whose levels come from a table or a small float: iq4_nl, iq4_xs, mxfp4, fp8_b128,
// int4_g32.
#include <array>

#include "tensor/blocks.h"

namespace ashlar {
namespace {

// 2^(e - 128), also below float's normal range (ggml, ggml_e8m0_to_fp32_half).
float half_of_e8m0(uint8_t e) {
  const uint32_t bits = e < 2 ? 0x00200000u << e : static_cast<uint32_t>(e - 1) << 23;
  return std::bit_cast<float>(bits);
}

constexpr std::array<float, 256> kE4m3 = [] {
  std::array<float, 256> table = {};
  for (size_t i = 0; i < table.size(); ++i) table[i] = e4m3_to_f32(static_cast<uint8_t>(i));
  return table;
}();

}  // namespace

void decode(const BlockIq4Nl& b, float* x) {
  const float d = f16_to_f32(b.d);
  for (int j = 0; j < 16; ++j) {
    x[j] = d * static_cast<float>(kIq4[b.q[j] & 15]);
    x[j + 16] = d * static_cast<float>(kIq4[b.q[j] >> 4]);
  }
}

void decode(const BlockIq4Xs& b, float* x) {
  const float d = f16_to_f32(b.d);
  for (int group = 0; group < 8; ++group) {
    const int low = (b.scales_low[group / 2] >> (group % 2 * 4)) & 15;
    const int high = (b.scales_high >> (2 * group)) & 3;
    const float scale = d * static_cast<float>((low | (high << 4)) - 32);
    for (int j = 0; j < 16; ++j) {
      const uint8_t q = b.q[group * 16 + j];
      x[group * 32 + j] = scale * static_cast<float>(kIq4[q & 15]);
      x[group * 32 + j + 16] = scale * static_cast<float>(kIq4[q >> 4]);
    }
  }
}

void decode(const BlockMxfp4& b, float* x) {
  const float d = half_of_e8m0(b.e);
  for (int j = 0; j < 16; ++j) {
    x[j] = d * static_cast<float>(kMxfp4[b.q[j] & 15]);
    x[j + 16] = d * static_cast<float>(kMxfp4[b.q[j] >> 4]);
  }
}

void decode(const BlockFp8& b, float* x) {
  for (int j = 0; j < 128; ++j) x[j] = b.d * kE4m3[b.q[j]];
}

void decode(const BlockInt4& b, float* x) {
  const float d = bf16_to_f32(b.d);
  for (int j = 0; j < 16; ++j) {
    x[2 * j] = d * static_cast<float>((b.q[j] & 15) - 8);
    x[2 * j + 1] = d * static_cast<float>((b.q[j] >> 4) - 8);
  }
}

}  // namespace ashlar
