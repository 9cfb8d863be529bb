// Quantised blocks to bytes, for AVX-512. Every format is read as runs of kCols columns:
//   value[c] = scale[c / kSub] * q[c] + kSumFactor * low[c / kSub]
// with q a byte, unsigned or (kSigned) signed with low = 0. Block layouts: tensor/blocks.h.

template <int kCols>
struct Chunk {
  __m512i q[kCols / 64];  // in the order of columns
  F scale, low;           // kCols / kSub lanes, the others 0
};

constexpr float kPart = 1.0f / kSumFactor;

alignas(64) constexpr uint8_t kNoBlock[64] = {};  // stands in for blocks past the end of a row

ASHLAR_INLINE uint16_t word_at(const uint8_t* p) {
  uint16_t v;
  __builtin_memcpy(&v, p, 2);
  return v;
}
ASHLAR_INLINE uint32_t dword_at(const uint8_t* p) {
  uint32_t v;
  __builtin_memcpy(&v, p, 4);
  return v;
}
ASHLAR_INLINE float half_at(const uint8_t* p) {
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(word_at(p))));
}
ASHLAR_INLINE F low_lanes(__m128 v) { return _mm512_zextps128_ps512(v); }
ASHLAR_INLINE F low_lanes(__m256 v) { return _mm512_zextps256_ps512(v); }
template <int kLanes>
ASHLAR_INLINE F low_lanes(const float* p) {
  static_assert(kLanes == 4 || kLanes == 8);
  return kLanes == 4 ? low_lanes(_mm_loadu_ps(p)) : low_lanes(_mm256_loadu_ps(p));
}
template <int kLanes>
ASHLAR_INLINE void store_lanes(float* p, F v) {
  if (kLanes == 4)
    _mm_storeu_ps(p, _mm512_castps512_ps128(v));
  else if (kLanes == 8)
    _mm256_storeu_ps(p, _mm512_castps512_ps256(v));
  else
    store(p, v);
}
ASHLAR_INLINE __m256i load32(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
ASHLAR_INLINE __m512i join(__m256i low, __m256i high) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}
ASHLAR_INLINE __m512i twice(const uint8_t* p) { return _mm512_broadcast_i64x4(load32(p)); }
ASHLAR_INLINE __m512i halves(int low, int high) {  // 16-bit lanes: shift counts of the two halves
  return join(_mm256_set1_epi16(static_cast<short>(low)),
              _mm256_set1_epi16(static_cast<short>(high)));
}
ASHLAR_INLINE __m512i nibble_mask() { return _mm512_set1_epi8(15); }

/// Sixteen bytes of nibbles each from a and b, low ones first: 64 columns.
ASHLAR_INLINE __m512i nibbles(const uint8_t* a, const uint8_t* b) {
  constexpr __mmask16 kUpperHalf = 0xff00;
  const __m512i low = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a)));
  const __m512i v = _mm512_mask_broadcast_i32x4(
      low, kUpperHalf, _mm_loadu_si128(reinterpret_cast<const __m128i*>(b)));
  const __m512i shift =
      _mm512_broadcast_i64x4(_mm256_setr_epi16(0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 4, 4, 4, 4, 4, 4));
  return _mm512_and_si512(_mm512_srlv_epi16(v, shift), nibble_mask());
}

/// Four float16 values.
ASHLAR_INLINE __m128 four_halves(const uint8_t* a, const uint8_t* b, const uint8_t* c,
                                 const uint8_t* d) {
  __m128i v = _mm_cvtsi32_si128(word_at(a));
  v = _mm_insert_epi16(v, word_at(b), 1);
  v = _mm_insert_epi16(v, word_at(c), 2);
  v = _mm_insert_epi16(v, word_at(d), 3);
  return _mm_cvtph_ps(v);
}

/// Formats of 32-value blocks: four blocks at a time, missing ones at the end of a row read as
/// zero.
template <int kBytes>
struct Blocks {
  static constexpr bool kInOneLoad = 3 * kBytes + 4 <= 64;
  const uint8_t* at[4];
  bool whole;  // known when compiled, but for the end of a row
  ASHLAR_INLINE Blocks(const uint8_t* p, int64_t blocks) : whole(blocks == 4) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) at[i] = i < blocks ? p + i * kBytes : kNoBlock;
  }
  ASHLAR_INLINE __m128 halves_at(int offset) const {
    return four_halves(at[0] + offset, at[1] + offset, at[2] + offset, at[3] + offset);
  }
  /// The float16 values that blocks begin with, and the four that follow them: the four blocks'
  /// first ones, then their second ones. Where 64 bytes have all of them one permutation gathers
  /// them.
  ASHLAR_INLINE __m256 pairs() const {
    if (kInOneLoad && whole) {
      constexpr int k = kBytes / 2;
      const __m512i order = _mm512_castsi128_si512(
          _mm_setr_epi16(0, k, 2 * k, 3 * k, 1, k + 1, 2 * k + 1, 3 * k + 1));
      const __m512i words = _mm512_permutexvar_epi16(order, _mm512_loadu_si512(at[0]));
      return _mm256_cvtph_ps(_mm512_castsi512_si128(words));
    }
    return _mm256_set_m128(halves_at(2), halves_at(0));
  }
  ASHLAR_INLINE __m128 firsts() const {
    if (kInOneLoad && whole) return _mm256_castps256_ps128(pairs());
    return halves_at(0);
  }
  ASHLAR_INLINE __m512i nibbles_at(int pair, int offset) const {
    return nibbles(at[2 * pair] + offset, at[2 * pair + 1] + offset);
  }
  /// 16 where the bit of the column is set in the two blocks' 32 high bits.
  ASHLAR_INLINE __m512i add_high(__m512i q, int pair, int offset) const {
    const uint64_t bits = dword_at(at[2 * pair] + offset) |
                          static_cast<uint64_t>(dword_at(at[2 * pair + 1] + offset)) << 32;
    return _mm512_mask_add_epi8(q, bits, q, _mm512_set1_epi8(16));
  }
};

template <Format f>
struct Code;

struct Code32 {
  static constexpr int kCols = 128, kSub = 32;
};

template <>
struct Code<Format::q4_0> : Code32 {
  static constexpr int kBytes = 4 * 18;
  static constexpr bool kSigned = false;
  static ASHLAR_INLINE void unpack(const uint8_t* p, int64_t blocks, Chunk<128>& c) {
    const Blocks<18> b(p, blocks);
    c.q[0] = b.nibbles_at(0, 2);
    c.q[1] = b.nibbles_at(1, 2);
    const __m128 d = b.firsts();
    c.scale = low_lanes(d);
    c.low = low_lanes(_mm_mul_ps(d, _mm_set1_ps(-8 * kPart)));
  }
};

template <>
struct Code<Format::q4_1> : Code32 {
  static constexpr int kBytes = 4 * 20;
  static constexpr bool kSigned = false;
  static ASHLAR_INLINE void unpack(const uint8_t* p, int64_t blocks, Chunk<128>& c) {
    const Blocks<20> b(p, blocks);
    c.q[0] = b.nibbles_at(0, 4);
    c.q[1] = b.nibbles_at(1, 4);
    const __m256 pairs = b.pairs();
    c.scale = low_lanes(_mm256_castps256_ps128(pairs));
    c.low = low_lanes(_mm_mul_ps(_mm256_extractf128_ps(pairs, 1), _mm_set1_ps(kPart)));
  }
};

template <>
struct Code<Format::q5_0> : Code32 {
  static constexpr int kBytes = 4 * 22;
  static constexpr bool kSigned = false;
  static ASHLAR_INLINE void unpack(const uint8_t* p, int64_t blocks, Chunk<128>& c) {
    const Blocks<22> b(p, blocks);
    c.q[0] = b.add_high(b.nibbles_at(0, 6), 0, 2);
    c.q[1] = b.add_high(b.nibbles_at(1, 6), 1, 2);
    const __m128 d = b.halves_at(0);
    c.scale = low_lanes(d);
    c.low = low_lanes(_mm_mul_ps(d, _mm_set1_ps(-16 * kPart)));
  }
};

template <>
struct Code<Format::q5_1> : Code32 {
  static constexpr int kBytes = 4 * 24;
  static constexpr bool kSigned = false;
  static ASHLAR_INLINE void unpack(const uint8_t* p, int64_t blocks, Chunk<128>& c) {
    const Blocks<24> b(p, blocks);
    c.q[0] = b.add_high(b.nibbles_at(0, 8), 0, 4);
    c.q[1] = b.add_high(b.nibbles_at(1, 8), 1, 4);
    c.scale = low_lanes(b.halves_at(0));
    c.low = low_lanes(_mm_mul_ps(b.halves_at(2), _mm_set1_ps(kPart)));
  }
};

template <>
struct Code<Format::q8_0> : Code32 {
  static constexpr int kBytes = 4 * 34;
  static constexpr bool kSigned = true;
  static ASHLAR_INLINE void unpack(const uint8_t* p, int64_t blocks, Chunk<128>& c) {
    const Blocks<34> b(p, blocks);
    c.q[0] = join(load32(b.at[0] + 2), load32(b.at[1] + 2));
    c.q[1] = join(load32(b.at[2] + 2), load32(b.at[3] + 2));
    c.scale = low_lanes(b.halves_at(0));
    c.low = zero();
  }
};

ASHLAR_INLINE __m512i look_up(const int8_t* table, __m512i codes) {
  const __m512i levels =
      _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
  return _mm512_shuffle_epi8(levels, codes);
}

/// The levels of a format plus what makes all of them positive, so that bytes need no shift.
struct Levels {
  alignas(16) int8_t from_zero[16];
  constexpr Levels(const int8_t* levels, int shift) : from_zero() {
    for (int i = 0; i < 16; ++i) from_zero[i] = static_cast<int8_t>(levels[i] + shift);
  }
};
constexpr Levels kIq4FromZero(kIq4, 128), kMxfp4FromZero(kMxfp4, 12);

template <>
struct Code<Format::iq4_nl> : Code32 {
  static constexpr int kBytes = 4 * 18;
  static constexpr bool kSigned = false;
  static ASHLAR_INLINE void unpack(const uint8_t* p, int64_t blocks, Chunk<128>& c) {
    const Blocks<18> b(p, blocks);
    c.q[0] = look_up(kIq4FromZero.from_zero, b.nibbles_at(0, 2));
    c.q[1] = look_up(kIq4FromZero.from_zero, b.nibbles_at(1, 2));
    const __m128 d = b.firsts();
    c.scale = low_lanes(d);
    c.low = low_lanes(_mm_mul_ps(d, _mm_set1_ps(-128 * kPart)));
  }
};

/// 2^(e - 128), half of what the exponent byte says, since levels are twice theirs.
struct HalvedExponents {
  float of[256];
  constexpr HalvedExponents() : of() {
    for (int e = 0; e < 256; ++e) {
      float v = 1;
      for (int i = e; i < 128; ++i) v /= 2;
      for (int i = 128; i < e; ++i) v *= 2;
      of[e] = v;
    }
  }
};
constexpr HalvedExponents kHalvedExponents;

template <>
struct Code<Format::mxfp4> : Code32 {
  static constexpr int kBytes = 4 * 17;
  static constexpr bool kSigned = false;
  static ASHLAR_INLINE void unpack(const uint8_t* p, int64_t blocks, Chunk<128>& c) {
    const Blocks<17> b(p, blocks);
    c.q[0] = look_up(kMxfp4FromZero.from_zero, b.nibbles_at(0, 1));
    c.q[1] = look_up(kMxfp4FromZero.from_zero, b.nibbles_at(1, 1));
    const float* of = kHalvedExponents.of;
    const __m128 d = _mm_setr_ps(of[b.at[0][0]], of[b.at[1][0]], of[b.at[2][0]], of[b.at[3][0]]);
    c.scale = low_lanes(d);
    c.low = low_lanes(_mm_mul_ps(d, _mm_set1_ps(-12 * kPart)));
  }
};

template <>
struct Code<Format::int4_g32> : Code32 {
  static constexpr int kBytes = 4 * 18;
  static constexpr bool kSigned = false;
  static ASHLAR_INLINE __m512i pair(const uint8_t* a, const uint8_t* b) {
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(b));
    const __m512i v = join(_mm256_cvtepu8_epi16(low), _mm256_cvtepu8_epi16(high));
    return _mm512_and_si512(_mm512_or_si512(v, _mm512_slli_epi16(v, 4)), nibble_mask());
  }
  static ASHLAR_INLINE void unpack(const uint8_t* p, int64_t blocks, Chunk<128>& c) {
    const Blocks<18> b(p, blocks);
    c.q[0] = pair(b.at[0] + 2, b.at[1] + 2);
    c.q[1] = pair(b.at[2] + 2, b.at[3] + 2);
    const __m128i bits =
        _mm_setr_epi32(word_at(b.at[0]), word_at(b.at[1]), word_at(b.at[2]), word_at(b.at[3]));
    const __m128 d = _mm_castsi128_ps(_mm_slli_epi32(bits, 16));
    c.scale = low_lanes(d);
    c.low = low_lanes(_mm_mul_ps(d, _mm_set1_ps(-8 * kPart)));
  }
};

/// Eight bytes as floats, times d.
ASHLAR_INLINE F eight(uint64_t bytes, float d) {
  const __m256i v = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(bytes)));
  return low_lanes(_mm256_mul_ps(_mm256_cvtepi32_ps(v), _mm256_set1_ps(d)));
}
ASHLAR_INLINE F sixteen(__m128i signed_bytes, float d) {
  return mul(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(signed_bytes)), set1(d));
}

/// The 6-bit scales and minima of a q4_k or q5_k block (as scale_min_k4): with the bytes d, dmin,
/// a, b, c of 2, 2, 4, 4, 4 bytes, scales are a & 63, then (c & 15) + the high bits of a, minima b
/// & 63, then (c >> 4) + the high bits of b.
ASHLAR_INLINE void scales_k4(const uint8_t* p, F* scale, F* low) {
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i a_c_b_c =
      _mm_shuffle_epi8(v, _mm_setr_epi8(4, 5, 6, 7, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
  const __m128i front =
      _mm_and_si128(_mm_srlv_epi32(a_c_b_c, _mm_setr_epi32(0, 0, 0, 4)),
                    _mm_setr_epi32(0x3f3f3f3f, 0x0f0f0f0f, 0x3f3f3f3f, 0x0f0f0f0f));
  const __m128i a_b =
      _mm_shuffle_epi8(v, _mm_setr_epi8(-1, -1, -1, -1, 4, 5, 6, 7, -1, -1, -1, -1, 8, 9, 10, 11));
  const __m128i high = _mm_and_si128(_mm_srli_epi32(a_b, 2), _mm_set1_epi8(0x30));
  const F whole = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_or_si128(front, high)));
  const __m128 d = _mm_mul_ps(_mm_cvtph_ps(v), _mm_setr_ps(1, -kPart, 0, 0));  // d, low
  const F both = mul(whole, _mm512_permutexvar_ps(
                                _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1),
                                _mm512_castps128_ps512(d)));
  *scale = low_lanes(_mm512_castps512_ps256(both));
  *low = low_lanes(_mm512_extractf32x8_ps(both, 1));
}

template <>
struct Code<Format::q4_k> {
  static constexpr int kCols = 256, kSub = 32, kBytes = 144;
  static constexpr bool kSigned = false;
  static ASHLAR_INLINE void unpack(const uint8_t* p, int64_t, Chunk<256>& c) {
    const __m512i shift = halves(0, 4);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i)
      c.q[i] = _mm512_and_si512(_mm512_srlv_epi16(twice(p + 16 + 32 * i), shift), nibble_mask());
    scales_k4(p, &c.scale, &c.low);
  }
};

/// `add` where bit 2 i (lower half) or 2 i + 1 (upper half) of `high` is set.
ASHLAR_INLINE __m512i add_bit(__m512i q, __m512i high, int i, int add_value) {
  const __m512i bit = join(_mm256_set1_epi8(static_cast<char>(1 << (2 * i))),
                           _mm256_set1_epi8(static_cast<char>(2 << (2 * i))));
  return _mm512_mask_add_epi8(q, _mm512_test_epi8_mask(high, bit), q,
                              _mm512_set1_epi8(static_cast<char>(add_value)));
}

template <>
struct Code<Format::q5_k> {
  static constexpr int kCols = 256, kSub = 32, kBytes = 176;
  static constexpr bool kSigned = false;
  static ASHLAR_INLINE void unpack(const uint8_t* p, int64_t, Chunk<256>& c) {
    const __m512i shift = halves(0, 4), high = twice(p + 16);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const __m512i q =
          _mm512_and_si512(_mm512_srlv_epi16(twice(p + 48 + 32 * i), shift), nibble_mask());
      c.q[i] = add_bit(q, high, i, 16);
    }
    scales_k4(p, &c.scale, &c.low);
  }
};

template <>
struct Code<Format::q6_k> {
  static constexpr int kCols = 256, kSub = 16, kBytes = 210;
  static constexpr bool kSigned = false;
  static ASHLAR_INLINE void unpack(const uint8_t* p, int64_t, Chunk<256>& c) {
    const __m512i up = halves(4, 2), down = halves(0, 2), pair = _mm512_set1_epi8(0x30);
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const __m512i low = _mm512_loadu_si512(p + 64 * h), high = twice(p + 128 + 32 * h);
      const __m512i first_low = _mm512_and_si512(low, nibble_mask());
      const __m512i last_low = _mm512_and_si512(_mm512_srli_epi16(low, 4), nibble_mask());
      // 0xf8: a | (b & c)
      c.q[2 * h] = _mm512_ternarylogic_epi32(first_low, _mm512_sllv_epi16(high, up), pair, 0xf8);
      c.q[2 * h + 1] =
          _mm512_ternarylogic_epi32(last_low, _mm512_srlv_epi16(high, down), pair, 0xf8);
    }
    c.scale = sixteen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 192)), half_at(p + 208));
    c.low = mul(c.scale, set1(-32 * kPart));
  }
};

/// 2-bit values: columns 128 h + 32 s + l in bits 2 s of byte 32 h + l.
ASHLAR_INLINE void two_bits(const uint8_t* p, __m512i* q) {
  const __m512i three = _mm512_set1_epi8(3);
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    const __m512i v = twice(p + 32 * h);
    q[2 * h] = _mm512_and_si512(_mm512_srlv_epi16(v, halves(0, 2)), three);
    q[2 * h + 1] = _mm512_and_si512(_mm512_srlv_epi16(v, halves(4, 6)), three);
  }
}

template <>
struct Code<Format::q2_k> {
  static constexpr int kCols = 256, kSub = 16, kBytes = 84;
  static constexpr bool kSigned = false;
  static ASHLAR_INLINE void unpack(const uint8_t* p, int64_t, Chunk<256>& c) {
    two_bits(p + 16, c.q);
    const __m128i s = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i mask = _mm_set1_epi8(15);
    c.scale = sixteen(_mm_and_si128(s, mask), half_at(p + 80));
    c.low = sixteen(_mm_and_si128(_mm_srli_epi16(s, 4), mask), -kPart * half_at(p + 82));
  }
};

template <>
struct Code<Format::q3_k> {
  static constexpr int kCols = 256, kSub = 16, kBytes = 110;
  static constexpr bool kSigned = false;
  static ASHLAR_INLINE void unpack(const uint8_t* p, int64_t, Chunk<256>& c) {
    two_bits(p + 32, c.q);
    const __m512i high = twice(p);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) c.q[i] = add_bit(c.q[i], high, i, 4);
    const uint32_t a = dword_at(p + 96), b = dword_at(p + 100), s = dword_at(p + 104);
    const __m128i scales =
        _mm_setr_epi32(static_cast<int>((a & 0x0f0f0f0fu) | ((s << 4) & 0x30303030u)),
                       static_cast<int>((b & 0x0f0f0f0fu) | ((s << 2) & 0x30303030u)),
                       static_cast<int>(((a >> 4) & 0x0f0f0f0fu) | (s & 0x30303030u)),
                       static_cast<int>(((b >> 4) & 0x0f0f0f0fu) | ((s >> 2) & 0x30303030u)));
    c.scale = sixteen(_mm_sub_epi8(scales, _mm_set1_epi8(32)), half_at(p + 108));
    c.low = mul(c.scale, set1(-4 * kPart));
  }
};

template <>
struct Code<Format::iq4_xs> {
  static constexpr int kCols = 256, kSub = 32, kBytes = 136;
  static constexpr bool kSigned = true;
  static ASHLAR_INLINE void unpack(const uint8_t* p, int64_t, Chunk<256>& c) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) c.q[i] = look_up(kIq4, nibbles(p + 8 + 32 * i, p + 24 + 32 * i));
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i low = _mm256_srlv_epi32(_mm256_set1_epi32(static_cast<int>(dword_at(p + 4))),
                                          _mm256_slli_epi32(lane, 2));
    const __m256i high =
        _mm256_srlv_epi32(_mm256_set1_epi32(word_at(p + 2)), _mm256_slli_epi32(lane, 1));
    const __m256i six =
        _mm256_or_si256(_mm256_and_si256(low, _mm256_set1_epi32(15)),
                        _mm256_slli_epi32(_mm256_and_si256(high, _mm256_set1_epi32(3)), 4));
    const __m256i scales = _mm256_sub_epi32(six, _mm256_set1_epi32(32));
    c.scale = low_lanes(_mm256_mul_ps(_mm256_cvtepi32_ps(scales), _mm256_set1_ps(half_at(p))));
    c.low = zero();
  }
};
