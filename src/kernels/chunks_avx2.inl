// Quantised blocks to bytes, for AVX2. Every format is read as runs of kCols columns:
//   value[c] = scale[c / kSub] * q[c] + low[c / kSub]
// with q a byte, unsigned (below 64) or (kSigned) signed with low = 0. Block layouts:
// tensor/blocks.h.

template <int kCols, int kSub>
struct Chunk {
  __m256i q[kCols / 32];  // in the order of columns
  alignas(32) float scale[kCols / kSub];
  alignas(32) float low[kCols / kSub];
};

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
ASHLAR_INLINE float float_of(uint32_t bits) {
  float v;
  __builtin_memcpy(&v, &bits, 4);
  return v;
}
ASHLAR_INLINE float half_at(const uint8_t* p) {
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(word_at(p))));
}
ASHLAR_INLINE __m128i load16(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
ASHLAR_INLINE __m256i load32(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
ASHLAR_INLINE __m256i low_nibbles(__m256i v) { return _mm256_and_si256(v, _mm256_set1_epi8(15)); }

/// Sixteen bytes of nibbles, low ones first: 32 columns.
ASHLAR_INLINE __m256i nibbles(const uint8_t* p) {
  const __m128i v = load16(p);
  return low_nibbles(_mm256_set_m128i(_mm_srli_epi16(v, 4), v));
}

/// `value` in byte j where bit j is set.
ASHLAR_INLINE __m256i where_bits(uint32_t bits, int value) {
  const __m256i spread =
      _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(bits)),
                          _mm256_setr_epi64x(0x0000000000000000, 0x0101010101010101,
                                             0x0202020202020202, 0x0303030303030303));
  const __m256i bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201ull));
  const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
  return _mm256_and_si256(set, _mm256_set1_epi8(static_cast<char>(value)));
}

/// `value` in each byte of which bit `bit` is set.
ASHLAR_INLINE __m256i where_bit(__m256i v, int bit, int value) {
  const __m256i mask = _mm256_set1_epi8(static_cast<char>(1 << bit));
  const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(v, mask), mask);
  return _mm256_and_si256(set, _mm256_set1_epi8(static_cast<char>(value)));
}

ASHLAR_INLINE __m256i look_up(const int8_t* table, __m256i codes) {
  const __m256i levels =
      _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
  return _mm256_shuffle_epi8(levels, codes);
}

template <Format f>
struct Code;

template <int kBlockBytes, bool kWithSign>
struct Code32 {
  static constexpr int kCols = 32, kSub = 32, kBytes = kBlockBytes;
  static constexpr bool kSigned = kWithSign;
};
using Chunk32 = Chunk<32, 32>;

template <>
struct Code<Format::q4_0> : Code32<18, false> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk32& c) {
    c.q[0] = nibbles(p + 2);
    c.scale[0] = half_at(p);
    c.low[0] = -8 * c.scale[0];
  }
};

template <>
struct Code<Format::q4_1> : Code32<20, false> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk32& c) {
    c.q[0] = nibbles(p + 4);
    c.scale[0] = half_at(p);
    c.low[0] = half_at(p + 2);
  }
};

template <>
struct Code<Format::q5_0> : Code32<22, false> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk32& c) {
    c.q[0] = _mm256_or_si256(nibbles(p + 6), where_bits(dword_at(p + 2), 16));
    c.scale[0] = half_at(p);
    c.low[0] = -16 * c.scale[0];
  }
};

template <>
struct Code<Format::q5_1> : Code32<24, false> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk32& c) {
    c.q[0] = _mm256_or_si256(nibbles(p + 8), where_bits(dword_at(p + 4), 16));
    c.scale[0] = half_at(p);
    c.low[0] = half_at(p + 2);
  }
};

template <>
struct Code<Format::q8_0> : Code32<34, true> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk32& c) {
    c.q[0] = load32(p + 2);
    c.scale[0] = half_at(p);
    c.low[0] = 0;
  }
};

template <>
struct Code<Format::iq4_nl> : Code32<18, true> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk32& c) {
    c.q[0] = look_up(kIq4, nibbles(p + 2));
    c.scale[0] = half_at(p);
    c.low[0] = 0;
  }
};

template <>
struct Code<Format::mxfp4> : Code32<17, true> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk32& c) {
    c.q[0] = look_up(kMxfp4, nibbles(p + 1));
    const uint32_t e = p[0];  // 2^(e - 128), subnormal below 2
    c.scale[0] = float_of(e < 2 ? 0x00200000u << e : (e - 1) << 23);
    c.low[0] = 0;
  }
};

template <>
struct Code<Format::int4_g32> : Code32<18, false> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk32& c) {
    const __m256i v = _mm256_cvtepu8_epi16(load16(p + 2));
    c.q[0] = low_nibbles(_mm256_or_si256(v, _mm256_slli_epi16(v, 4)));
    c.scale[0] = float_of(static_cast<uint32_t>(word_at(p)) << 16);
    c.low[0] = -8 * c.scale[0];
  }
};

template <int kSubCols, int kBlockBytes, bool kWithSign>
struct Code256 {
  static constexpr int kCols = 256, kSub = kSubCols, kBytes = kBlockBytes;
  static constexpr bool kSigned = kWithSign;
};

/// Eight bytes as floats, times d.
ASHLAR_INLINE void eight(__m128i bytes, float d, float* out) {
  store(out, mul(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)), set1(d)));
}
ASHLAR_INLINE void sixteen(__m128i bytes, float d, float* out) {
  eight(bytes, d, out);
  eight(_mm_srli_si128(bytes, 8), d, out + 8);
}

/// The 6-bit scales and minima of a q4_k or q5_k block (as scale_min_k4).
ASHLAR_INLINE void scales_k4(const uint8_t* p, float* scale, float* low) {
  const uint32_t a = dword_at(p + 4), b = dword_at(p + 8), c = dword_at(p + 12);
  const uint32_t s0 = a & 0x3f3f3f3fu, m0 = b & 0x3f3f3f3fu;
  const uint32_t s1 = (c & 0x0f0f0f0fu) | ((a >> 2) & 0x30303030u);
  const uint32_t m1 = ((c >> 4) & 0x0f0f0f0fu) | ((b >> 2) & 0x30303030u);
  const __m128i s = _mm_setr_epi32(static_cast<int>(s0), static_cast<int>(s1), 0, 0);
  const __m128i m = _mm_setr_epi32(static_cast<int>(m0), static_cast<int>(m1), 0, 0);
  eight(s, half_at(p), scale);
  eight(m, -half_at(p + 2), low);
}

template <>
struct Code<Format::q4_k> : Code256<32, 144, false> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk<256, 32>& c) {
    for (int i = 0; i < 4; ++i) {
      const __m256i v = load32(p + 16 + 32 * i);
      c.q[2 * i] = low_nibbles(v);
      c.q[2 * i + 1] = low_nibbles(_mm256_srli_epi16(v, 4));
    }
    scales_k4(p, c.scale, c.low);
  }
};

template <>
struct Code<Format::q5_k> : Code256<32, 176, false> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk<256, 32>& c) {
    const __m256i high = load32(p + 16);
    for (int i = 0; i < 4; ++i) {
      const __m256i v = load32(p + 48 + 32 * i);
      c.q[2 * i] = _mm256_or_si256(low_nibbles(v), where_bit(high, 2 * i, 16));
      c.q[2 * i + 1] =
          _mm256_or_si256(low_nibbles(_mm256_srli_epi16(v, 4)), where_bit(high, 2 * i + 1, 16));
    }
    scales_k4(p, c.scale, c.low);
  }
};

template <>
struct Code<Format::q6_k> : Code256<16, 210, false> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk<256, 16>& c) {
    const __m256i pair = _mm256_set1_epi8(0x30);
    for (int h = 0; h < 2; ++h) {
      const __m256i l0 = load32(p + 64 * h), l1 = load32(p + 64 * h + 32);
      const __m256i high = load32(p + 128 + 32 * h);
      c.q[4 * h] =
          _mm256_or_si256(low_nibbles(l0), _mm256_and_si256(_mm256_slli_epi16(high, 4), pair));
      c.q[4 * h + 1] =
          _mm256_or_si256(low_nibbles(l1), _mm256_and_si256(_mm256_slli_epi16(high, 2), pair));
      c.q[4 * h + 2] =
          _mm256_or_si256(low_nibbles(_mm256_srli_epi16(l0, 4)), _mm256_and_si256(high, pair));
      c.q[4 * h + 3] = _mm256_or_si256(low_nibbles(_mm256_srli_epi16(l1, 4)),
                                       _mm256_and_si256(_mm256_srli_epi16(high, 2), pair));
    }
    const float d = half_at(p + 208);
    sixteen(load16(p + 192), d, c.scale);
    sixteen(load16(p + 192), -32 * d, c.low);
  }
};

/// 2-bit values: columns 128 h + 32 s + l in bits 2 s of byte 32 h + l.
ASHLAR_INLINE void two_bits(const uint8_t* p, __m256i* q) {
  const __m256i three = _mm256_set1_epi8(3);
  for (int h = 0; h < 2; ++h) {
    const __m256i v = load32(p + 32 * h);
    q[4 * h] = _mm256_and_si256(v, three);
    q[4 * h + 1] = _mm256_and_si256(_mm256_srli_epi16(v, 2), three);
    q[4 * h + 2] = _mm256_and_si256(_mm256_srli_epi16(v, 4), three);
    q[4 * h + 3] = _mm256_and_si256(_mm256_srli_epi16(v, 6), three);
  }
}

template <>
struct Code<Format::q2_k> : Code256<16, 84, false> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk<256, 16>& c) {
    two_bits(p + 16, c.q);
    const __m128i s = load16(p), mask = _mm_set1_epi8(15);
    sixteen(_mm_and_si128(s, mask), half_at(p + 80), c.scale);
    sixteen(_mm_and_si128(_mm_srli_epi16(s, 4), mask), -half_at(p + 82), c.low);
  }
};

template <>
struct Code<Format::q3_k> : Code256<16, 110, false> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk<256, 16>& c) {
    two_bits(p + 32, c.q);
    const __m256i high = load32(p);
    for (int i = 0; i < 8; ++i) c.q[i] = _mm256_or_si256(c.q[i], where_bit(high, i, 4));
    const uint32_t a = dword_at(p + 96), b = dword_at(p + 100), s = dword_at(p + 104);
    const __m128i six =
        _mm_setr_epi32(static_cast<int>((a & 0x0f0f0f0fu) | ((s << 4) & 0x30303030u)),
                       static_cast<int>((b & 0x0f0f0f0fu) | ((s << 2) & 0x30303030u)),
                       static_cast<int>(((a >> 4) & 0x0f0f0f0fu) | (s & 0x30303030u)),
                       static_cast<int>(((b >> 4) & 0x0f0f0f0fu) | ((s >> 2) & 0x30303030u)));
    const __m128i scales = _mm_sub_epi8(six, _mm_set1_epi8(32));
    const float d = half_at(p + 108);
    sixteen(scales, d, c.scale);
    sixteen(scales, -4 * d, c.low);
  }
};

template <>
struct Code<Format::iq4_xs> : Code256<32, 136, true> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk<256, 32>& c) {
    for (int i = 0; i < 8; ++i) c.q[i] = look_up(kIq4, nibbles(p + 8 + 16 * i));
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i low = _mm256_srlv_epi32(_mm256_set1_epi32(static_cast<int>(dword_at(p + 4))),
                                          _mm256_slli_epi32(lane, 2));
    const __m256i high =
        _mm256_srlv_epi32(_mm256_set1_epi32(word_at(p + 2)), _mm256_slli_epi32(lane, 1));
    const __m256i six =
        _mm256_or_si256(_mm256_and_si256(low, _mm256_set1_epi32(15)),
                        _mm256_slli_epi32(_mm256_and_si256(high, _mm256_set1_epi32(3)), 4));
    const __m256i scales = _mm256_sub_epi32(six, _mm256_set1_epi32(32));
    store(c.scale, mul(_mm256_cvtepi32_ps(scales), set1(half_at(p))));
    store(c.low, zero());
  }
};
