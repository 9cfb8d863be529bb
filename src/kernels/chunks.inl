// Quantised blocks to bytes, over the vocabulary of bytes_*.inl (AVX2, NEON). Every format is read as
// runs of kCols columns:
//   value[c] = scale[c / kSub] * q[c] + low[c / kSub]
// with q a byte, unsigned (below 64) or (kSigned) signed with low = 0. Block layouts:
// tensor/blocks.h.

template <int kCols, int kSub>
struct Chunk {
  B q[kCols / 32];  // in the order of columns
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
ASHLAR_INLINE uint64_t qword_at(const uint8_t* p) {
  uint64_t v;
  __builtin_memcpy(&v, p, 8);
  return v;
}
ASHLAR_INLINE float float_of(uint32_t bits) {
  float v;
  __builtin_memcpy(&v, &bits, 4);
  return v;
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
    c.q[0] = either(nibbles(p + 6), where_bits(dword_at(p + 2), 16));
    c.scale[0] = half_at(p);
    c.low[0] = -16 * c.scale[0];
  }
};

template <>
struct Code<Format::q5_1> : Code32<24, false> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk32& c) {
    c.q[0] = either(nibbles(p + 8), where_bits(dword_at(p + 4), 16));
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
    c.q[0] = neighbours(p + 2);
    c.scale[0] = float_of(static_cast<uint32_t>(word_at(p)) << 16);
    c.low[0] = -8 * c.scale[0];
  }
};

template <int kSubCols, int kBlockBytes, bool kWithSign>
struct Code256 {
  static constexpr int kCols = 256, kSub = kSubCols, kBytes = kBlockBytes;
  static constexpr bool kSigned = kWithSign;
};

/// Eight signed bytes as floats, times d.
ASHLAR_INLINE void eight(uint64_t bytes, float d, float* out) {
  store(out, mul(load_int8(&bytes), set1(d)));
}

constexpr uint64_t kNibbles = 0x0f0f0f0f0f0f0f0fu;
ASHLAR_INLINE uint64_t two_words(uint32_t low, uint32_t high) {
  return low | static_cast<uint64_t>(high) << 32;
}
/// Eight bytes of 0 .. 63 less 32 each, signed.
ASHLAR_INLINE uint64_t less_32(uint64_t bytes) {
  return ((bytes | 0x8080808080808080u) - 0x2020202020202020u) ^ 0x8080808080808080u;
}

/// The 6-bit scales and minima of a q4_k or q5_k block (as scale_min_k4).
ASHLAR_INLINE void scales_k4(const uint8_t* p, float* scale, float* low) {
  const uint32_t a = dword_at(p + 4), b = dword_at(p + 8), c = dword_at(p + 12);
  const uint32_t s0 = a & 0x3f3f3f3fu, m0 = b & 0x3f3f3f3fu;
  const uint32_t s1 = (c & 0x0f0f0f0fu) | ((a >> 2) & 0x30303030u);
  const uint32_t m1 = ((c >> 4) & 0x0f0f0f0fu) | ((b >> 2) & 0x30303030u);
  eight(two_words(s0, s1), half_at(p), scale);
  eight(two_words(m0, m1), -half_at(p + 2), low);
}

template <>
struct Code<Format::q4_k> : Code256<32, 144, false> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk<256, 32>& c) {
    for (int i = 0; i < 4; ++i) {
      const B v = load32(p + 16 + 32 * i);
      c.q[2 * i] = low_nibbles(v);
      c.q[2 * i + 1] = right<4>(v, 15);
    }
    scales_k4(p, c.scale, c.low);
  }
};

template <>
struct Code<Format::q5_k> : Code256<32, 176, false> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk<256, 32>& c) {
    const B high = load32(p + 16);
    for (int i = 0; i < 4; ++i) {
      const B v = load32(p + 48 + 32 * i);
      c.q[2 * i] = either(low_nibbles(v), where_bit(high, 2 * i, 16));
      c.q[2 * i + 1] = either(right<4>(v, 15), where_bit(high, 2 * i + 1, 16));
    }
    scales_k4(p, c.scale, c.low);
  }
};

template <>
struct Code<Format::q6_k> : Code256<16, 210, false> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk<256, 16>& c) {
    for (int h = 0; h < 2; ++h) {
      const B l0 = load32(p + 64 * h), l1 = load32(p + 64 * h + 32);
      const B high = load32(p + 128 + 32 * h);
      c.q[4 * h] = either(low_nibbles(l0), left<4>(high, 0x30));
      c.q[4 * h + 1] = either(low_nibbles(l1), left<2>(high, 0x30));
      c.q[4 * h + 2] = either(right<4>(l0, 15), left<0>(high, 0x30));
      c.q[4 * h + 3] = either(right<4>(l1, 15), right<2>(high, 0x30));
    }
    const float d = half_at(p + 208);
    for (int i = 0; i < 2; ++i) {
      eight(qword_at(p + 192 + 8 * i), d, c.scale + 8 * i);
      eight(qword_at(p + 192 + 8 * i), -32 * d, c.low + 8 * i);
    }
  }
};

/// 2-bit values: columns 128 h + 32 s + l in bits 2 s of byte 32 h + l.
ASHLAR_INLINE void two_bits(const uint8_t* p, B* q) {
  for (int h = 0; h < 2; ++h) {
    const B v = load32(p + 32 * h);
    q[4 * h] = right<0>(v, 3);
    q[4 * h + 1] = right<2>(v, 3);
    q[4 * h + 2] = right<4>(v, 3);
    q[4 * h + 3] = right<6>(v, 3);
  }
}

template <>
struct Code<Format::q2_k> : Code256<16, 84, false> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk<256, 16>& c) {
    two_bits(p + 16, c.q);
    for (int i = 0; i < 2; ++i) {
      const uint64_t s = qword_at(p + 8 * i);
      eight(s & kNibbles, half_at(p + 80), c.scale + 8 * i);
      eight(s >> 4 & kNibbles, -half_at(p + 82), c.low + 8 * i);
    }
  }
};

template <>
struct Code<Format::q3_k> : Code256<16, 110, false> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk<256, 16>& c) {
    two_bits(p + 32, c.q);
    const B high = load32(p);
    for (int i = 0; i < 8; ++i) c.q[i] = either(c.q[i], where_bit(high, i, 4));
    const uint64_t low = qword_at(p + 96);
    const uint32_t high_bits = dword_at(p + 104);
    const uint64_t six[] = {
        (low & kNibbles) | two_words(high_bits << 4 & 0x30303030u, high_bits << 2 & 0x30303030u),
        (low >> 4 & kNibbles) | two_words(high_bits & 0x30303030u, high_bits >> 2 & 0x30303030u)};
    const float d = half_at(p + 108);
    for (int i = 0; i < 2; ++i) {
      eight(less_32(six[i]), d, c.scale + 8 * i);
      eight(less_32(six[i]), -4 * d, c.low + 8 * i);
    }
  }
};

template <>
struct Code<Format::iq4_xs> : Code256<32, 136, true> {
  static ASHLAR_INLINE void unpack(const uint8_t* p, Chunk<256, 32>& c) {
    for (int i = 0; i < 8; ++i) c.q[i] = look_up(kIq4, nibbles(p + 8 + 16 * i));
    // Eight times four bits, and two above them, to a byte each.
    uint64_t low = dword_at(p + 4), high = word_at(p + 2);
    low = (low | low << 16) & 0x0000ffff0000ffffu;
    low = (low | low << 8) & 0x00ff00ff00ff00ffu;
    low = (low | low << 4) & kNibbles;
    high = (high | high << 24) & 0x000000ff000000ffu;
    high = (high | high << 12) & 0x000f000f000f000fu;
    high = (high | high << 6) & 0x0303030303030303u;
    eight(less_32(low | high << 4), half_at(p), c.scale);
    store(c.low, zero());
  }
};
