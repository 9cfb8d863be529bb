// Blocks whose levels come from a table or a small float: iq4_nl, iq4_xs, mxfp4, fp8_b128,
// int4_g32.
#include "tensor/blocks.h"
#include "tensor/scalar.h"

namespace ashlar {
namespace {

// 2^(e - 128), also below float's normal range (ggml, ggml_e8m0_to_fp32_half).
float half_of_e8m0(uint8_t e) {
  const uint32_t bits = e < 2 ? 0x00200000u << e : static_cast<uint32_t>(e - 1) << 23;
  return std::bit_cast<float>(bits);
}

struct E4m3Table {
  float value[256];
  E4m3Table() {
    for (int i = 0; i < 256; ++i) value[i] = e4m3_to_f32(static_cast<uint8_t>(i));
  }
};

}  // namespace

void iq4_nl_dequantise(const void* blocks, float* x, int64_t n) {
  for_each_block<BlockIq4Nl, 32>(blocks, x, n, [](const BlockIq4Nl& b, float* out) {
    const float d = f16_to_f32(b.d);
    for (int j = 0; j < 16; ++j) {
      out[j] = d * static_cast<float>(kIq4[b.q[j] & 15]);
      out[j + 16] = d * static_cast<float>(kIq4[b.q[j] >> 4]);
    }
  });
}

void iq4_xs_dequantise(const void* blocks, float* x, int64_t n) {
  for_each_block<BlockIq4Xs, kSuper>(blocks, x, n, [](const BlockIq4Xs& b, float* out) {
    const float d = f16_to_f32(b.d);
    for (int group = 0; group < 8; ++group) {
      const int low = (b.scales_low[group / 2] >> (group % 2 * 4)) & 15;
      const int high = (b.scales_high >> (2 * group)) & 3;
      const float scale = d * static_cast<float>((low | (high << 4)) - 32);
      for (int j = 0; j < 16; ++j) {
        const uint8_t q = b.q[group * 16 + j];
        out[group * 32 + j] = scale * static_cast<float>(kIq4[q & 15]);
        out[group * 32 + j + 16] = scale * static_cast<float>(kIq4[q >> 4]);
      }
    }
  });
}

void mxfp4_dequantise(const void* blocks, float* x, int64_t n) {
  for_each_block<BlockMxfp4, 32>(blocks, x, n, [](const BlockMxfp4& b, float* out) {
    const float d = half_of_e8m0(b.e);
    for (int j = 0; j < 16; ++j) {
      out[j] = d * static_cast<float>(kMxfp4[b.q[j] & 15]);
      out[j + 16] = d * static_cast<float>(kMxfp4[b.q[j] >> 4]);
    }
  });
}

void fp8_dequantise(const void* blocks, float* x, int64_t n) {
  static const E4m3Table table;
  for_each_block<BlockFp8, 128>(blocks, x, n, [](const BlockFp8& b, float* out) {
    for (int j = 0; j < 128; ++j) out[j] = b.d * table.value[b.q[j]];
  });
}

void int4_dequantise(const void* blocks, float* x, int64_t n) {
  for_each_block<BlockInt4, 32>(blocks, x, n, [](const BlockInt4& b, float* out) {
    const float d = bf16_to_f32(b.d);
    for (int j = 0; j < 16; ++j) {
      out[2 * j] = d * static_cast<float>((b.q[j] & 15) - 8);
      out[2 * j + 1] = d * static_cast<float>((b.q[j] >> 4) - 8);
    }
  });
}

}  // namespace ashlar
