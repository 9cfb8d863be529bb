// Thirty-two bytes: the vocabulary that chunks.inl and int8_dots.inl are written in, for NEON.
// Where included: four_products, the sums of four products of signed bytes.

struct B {
  uint8x16_t a, b;
};

ASHLAR_INLINE B load32(const void* p) {
  const auto* bytes = static_cast<const uint8_t*>(p);
  return {vld1q_u8(bytes), vld1q_u8(bytes + 16)};
}
ASHLAR_INLINE void store32(void* p, B v) {
  auto* bytes = static_cast<uint8_t*>(p);
  vst1q_u8(bytes, v.a);
  vst1q_u8(bytes + 16, v.b);
}
ASHLAR_INLINE B either(B x, B y) { return {vorrq_u8(x.a, y.a), vorrq_u8(x.b, y.b)}; }
/// The bits of `mask` of each byte, shifted before.
template <int kBits>
ASHLAR_INLINE uint8x16_t right(uint8x16_t v, int mask) {
  if constexpr (kBits > 0) v = vshrq_n_u8(v, kBits);
  return vandq_u8(v, vdupq_n_u8(static_cast<uint8_t>(mask)));
}
template <int kBits>
ASHLAR_INLINE B right(B v, int mask) {
  return {right<kBits>(v.a, mask), right<kBits>(v.b, mask)};
}
template <int kBits>
ASHLAR_INLINE B left(B v, int mask) {
  const uint8x16_t m = vdupq_n_u8(static_cast<uint8_t>(mask));
  return {vandq_u8(vshlq_n_u8(v.a, kBits), m), vandq_u8(vshlq_n_u8(v.b, kBits), m)};
}
ASHLAR_INLINE B low_nibbles(B v) { return right<0>(v, 15); }

/// Sixteen bytes of nibbles: the low ones of all, then the high ones.
ASHLAR_INLINE B nibbles(const uint8_t* p) {
  const uint8x16_t v = vld1q_u8(p);
  return {right<0>(v, 15), right<4>(v, 15)};
}
/// Sixteen bytes of nibbles: the low one of each, then its high one.
ASHLAR_INLINE B neighbours(const uint8_t* p) {
  const B v = nibbles(p);
  return {vzip1q_u8(v.a, v.b), vzip2q_u8(v.a, v.b)};
}

/// `value` in each byte that has a bit of `bits`.
ASHLAR_INLINE B where_any(B v, uint8x16_t bits, int value) {
  const uint8x16_t w = vdupq_n_u8(static_cast<uint8_t>(value));
  return {vandq_u8(vtstq_u8(v.a, bits), w), vandq_u8(vtstq_u8(v.b, bits), w)};
}
/// `value` in byte j where bit j is set.
ASHLAR_INLINE B where_bits(uint32_t bits, int value) {
  const auto byte = [&](int i) { return vdup_n_u8(static_cast<uint8_t>(bits >> 8 * i)); };
  const uint8x16_t bit = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201u));
  return where_any({vcombine_u8(byte(0), byte(1)), vcombine_u8(byte(2), byte(3))}, bit, value);
}
/// `value` in each byte of which bit `bit` is set.
ASHLAR_INLINE B where_bit(B v, int bit, int value) {
  return where_any(v, vdupq_n_u8(static_cast<uint8_t>(1 << bit)), value);
}
/// Bytes of 0 .. 15 by a table of sixteen.
ASHLAR_INLINE B look_up(const int8_t* table, B codes) {
  const uint8x16_t levels = vld1q_u8(reinterpret_cast<const uint8_t*>(table));
  return {vqtbl1q_u8(levels, codes.a), vqtbl1q_u8(levels, codes.b)};
}

/// Sums of four products of bytes; what is not signed is below 64.
template <bool kSigned>
ASHLAR_INLINE F products(B q, B x) {
  return {vcvtq_f32_s32(four_products(vreinterpretq_s8_u8(q.a), vreinterpretq_s8_u8(x.a))),
          vcvtq_f32_s32(four_products(vreinterpretq_s8_u8(q.b), vreinterpretq_s8_u8(x.b)))};
}
/// p[0] in the lanes of the first sixteen bytes, p[1] in those of the others.
ASHLAR_INLINE F halves(const float* p) { return {vdupq_n_f32(p[0]), vdupq_n_f32(p[1])}; }
ASHLAR_INLINE float half_at(const uint8_t* p) {
  __fp16 half;
  __builtin_memcpy(&half, p, 2);
  return half;
}
