// The byte layouts of the block formats, and the functions from and to float of one block.
//
// Layouts are ggml's (little endian, no padding), but for fp8_b128 and int4_g32, which are Ashlar's
// own. `d` and `m` are float16 unless said otherwise; nibble j of a 32-value group is value j in
// the low half of byte j and value j + 16 in the high half.
#pragma once

#include <cstdint>
#include <cstring>

#include "tensor/scalar.h"

namespace ashlar {

inline constexpr int kSuper = 256;  // values per K-quant block

struct BlockF32 {
  float value;
};
struct BlockF16 {
  uint16_t value;
};
struct BlockBf16 {
  uint16_t value;
};
struct BlockQ4_0 {  // x = d (q - 8)
  uint16_t d;
  uint8_t q[16];
};
struct BlockQ4_1 {  // x = d q + m
  uint16_t d, m;
  uint8_t q[16];
};
struct BlockQ5_0 {  // x = d (q - 16); bit j of `high` is bit 4 of value j
  uint16_t d;
  uint8_t high[4];
  uint8_t q[16];
};
struct BlockQ5_1 {  // x = d q + m
  uint16_t d, m;
  uint8_t high[4];
  uint8_t q[16];
};
struct BlockQ8_0 {  // x = d q
  uint16_t d;
  int8_t q[32];
};
struct BlockQ2K {  // x = d (scales & 15) q - m (scales >> 4); 16 groups of 16
  uint8_t scales[16];
  uint8_t q[64];
  uint16_t d, m;
};
struct BlockQ3K {  // x = d (scale - 32) (q - 4), scale of 6 bits; 16 groups of 16
  uint8_t high[32];
  uint8_t q[64];
  uint8_t scales[12];
  uint16_t d;
};
struct BlockQ4K {  // x = d scale q - m min, scale and min of 6 bits; 8 groups of 32
  uint16_t d, m;
  uint8_t scales[12];
  uint8_t q[128];
};
struct BlockQ5K {
  uint16_t d, m;
  uint8_t scales[12];
  uint8_t high[32];
  uint8_t q[128];
};
struct BlockQ6K {  // x = d scale (q - 32); 16 groups of 16
  uint8_t low[128];
  uint8_t high[64];
  int8_t scales[16];
  uint16_t d;
};
struct BlockIq4Nl {  // x = d kIq4[q]
  uint16_t d;
  uint8_t q[16];
};
struct BlockIq4Xs {  // x = d (scale - 32) kIq4[q], scale of 6 bits; 8 groups of 32
  uint16_t d;
  uint16_t scales_high;
  uint8_t scales_low[4];
  uint8_t q[128];
};
struct BlockMxfp4 {  // x = 2^(e - 128) kMxfp4[q]
  uint8_t e;
  uint8_t q[16];
};
struct BlockFp8 {  // x = d e4m3(q)
  float d;
  uint8_t q[128];
};
struct BlockInt4 {  // x = d (q - 8), d bfloat16; value 2b in the low half of byte b
  uint16_t d;
  uint8_t q[16];
};

static_assert(sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 && sizeof(BlockQ5_0) == 22);
static_assert(sizeof(BlockQ5_1) == 24 && sizeof(BlockQ8_0) == 34 && sizeof(BlockQ2K) == 84);
static_assert(sizeof(BlockQ3K) == 110 && sizeof(BlockQ4K) == 144 && sizeof(BlockQ5K) == 176);
static_assert(sizeof(BlockQ6K) == 210 && sizeof(BlockIq4Nl) == 18 && sizeof(BlockIq4Xs) == 136);
static_assert(sizeof(BlockMxfp4) == 17 && sizeof(BlockFp8) == 132 && sizeof(BlockInt4) == 18);

/// The sixteen levels of iq4_nl and iq4_xs (ggml, kvalues_iq4nl).
inline constexpr int8_t kIq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                    1,    13,   25,  38,  53,  69,  89,  113};
/// Twice the values of e2m1 (OCP Microscaling v1.0).
inline constexpr int8_t kMxfp4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/// The 6-bit scale and minimum of group j (0..7) of a q4_k or q5_k block.
inline void scale_min_k4(int j, const uint8_t* scales, int* scale, int* min) {
  if (j < 4) {
    *scale = scales[j] & 63;
    *min = scales[j + 4] & 63;
  } else {
    *scale = (scales[j + 4] & 15) | ((scales[j - 4] >> 6) << 4);
    *min = (scales[j + 4] >> 4) | ((scales[j] >> 6) << 4);
  }
}

// One block to its values.
inline void decode(const BlockF32& b, float* x) { *x = b.value; }
inline void decode(const BlockF16& b, float* x) { *x = f16_to_f32(b.value); }
inline void decode(const BlockBf16& b, float* x) { *x = bf16_to_f32(b.value); }
void decode(const BlockQ4_0& b, float* x);
void decode(const BlockQ4_1& b, float* x);
void decode(const BlockQ5_0& b, float* x);
void decode(const BlockQ5_1& b, float* x);
void decode(const BlockQ8_0& b, float* x);
void decode(const BlockQ2K& b, float* x);
void decode(const BlockQ3K& b, float* x);
void decode(const BlockQ4K& b, float* x);
void decode(const BlockQ5K& b, float* x);
void decode(const BlockQ6K& b, float* x);
void decode(const BlockIq4Nl& b, float* x);
void decode(const BlockIq4Xs& b, float* x);
void decode(const BlockMxfp4& b, float* x);
void decode(const BlockFp8& b, float* x);
void decode(const BlockInt4& b, float* x);

// Values to a block that was zeros.
inline void encode(const float* x, BlockF32& b) { b.value = *x; }
inline void encode(const float* x, BlockF16& b) { b.value = f32_to_f16(*x); }
inline void encode(const float* x, BlockBf16& b) { b.value = f32_to_bf16(*x); }
void encode(const float* x, BlockQ4_0& b);
void encode(const float* x, BlockQ4_1& b);
void encode(const float* x, BlockQ5_0& b);
void encode(const float* x, BlockQ5_1& b);
void encode(const float* x, BlockQ8_0& b);
void encode(const float* x, BlockQ2K& b);
void encode(const float* x, BlockQ3K& b);
void encode(const float* x, BlockQ4K& b);
void encode(const float* x, BlockQ5K& b);
void encode(const float* x, BlockQ6K& b);
void encode(const float* x, BlockIq4Nl& b);
void encode(const float* x, BlockIq4Xs& b);
void encode(const float* x, BlockMxfp4& b);

/// n values of blocks of kLen, which need not be aligned: files pack them at any even or odd byte.
template <class Block, int kLen>
void dequantise(const void* blocks, float* x, int64_t n) {
  const auto* bytes = static_cast<const char*>(blocks);
  for (int64_t i = 0; i < n / kLen; ++i) {
    Block block;
    std::memcpy(&block, bytes + i * static_cast<int64_t>(sizeof(Block)), sizeof(Block));
    decode(block, x + i * kLen);
  }
}
template <class Block, int kLen>
void quantise(const float* x, void* blocks, int64_t n) {
  auto* bytes = static_cast<char*>(blocks);
  for (int64_t i = 0; i < n / kLen; ++i) {
    Block block = {};
    encode(x + i * kLen, block);
    std::memcpy(bytes + i * static_cast<int64_t>(sizeof(Block)), &block, sizeof(Block));
  }
}

}  // namespace ashlar
