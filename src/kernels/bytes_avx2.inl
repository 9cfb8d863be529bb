// Thirty-two bytes: the vocabulary that chunks.inl and int8_dots.inl are written in, for AVX2.

using B = __m256i;

ASHLAR_INLINE B load32(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
ASHLAR_INLINE void store32(void* p, B v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }
ASHLAR_INLINE B either(B a, B b) { return _mm256_or_si256(a, b); }
/// The bits of `mask` of each byte, shifted before.
template <int kBits>
ASHLAR_INLINE B right(B v, int mask) {
  return _mm256_and_si256(_mm256_srli_epi16(v, kBits), _mm256_set1_epi8(static_cast<char>(mask)));
}
template <int kBits>
ASHLAR_INLINE B left(B v, int mask) {
  return _mm256_and_si256(_mm256_slli_epi16(v, kBits), _mm256_set1_epi8(static_cast<char>(mask)));
}
ASHLAR_INLINE B low_nibbles(B v) { return right<0>(v, 15); }

/// Sixteen bytes of nibbles: the low ones of all, then the high ones.
ASHLAR_INLINE B nibbles(const uint8_t* p) {
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return low_nibbles(_mm256_set_m128i(_mm_srli_epi16(v, 4), v));
}
/// Sixteen bytes of nibbles: the low one of each, then its high one.
ASHLAR_INLINE B neighbours(const uint8_t* p) {
  const __m256i v = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  return low_nibbles(_mm256_or_si256(v, _mm256_slli_epi16(v, 4)));
}

/// `value` in byte j where bit j is set.
ASHLAR_INLINE B where_bits(uint32_t bits, int value) {
  const __m256i spread =
      _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(bits)),
                          _mm256_setr_epi64x(0x0000000000000000, 0x0101010101010101,
                                             0x0202020202020202, 0x0303030303030303));
  const __m256i bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201ull));
  const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
  return _mm256_and_si256(set, _mm256_set1_epi8(static_cast<char>(value)));
}
/// `value` in each byte of which bit `bit` is set.
ASHLAR_INLINE B where_bit(B v, int bit, int value) {
  const __m256i mask = _mm256_set1_epi8(static_cast<char>(1 << bit));
  const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(v, mask), mask);
  return _mm256_and_si256(set, _mm256_set1_epi8(static_cast<char>(value)));
}
/// Bytes of 0 .. 15 by a table of sixteen.
ASHLAR_INLINE B look_up(const int8_t* table, B codes) {
  const __m256i levels =
      _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
  return _mm256_shuffle_epi8(levels, codes);
}

/// Sums of four products of bytes, by pmaddubsw; q is below 64 where it is not signed, so that no
/// pair of products leaves int16.
template <bool kSigned>
ASHLAR_INLINE F products(B q, B x) {
  const __m256i pairs = kSigned ? _mm256_maddubs_epi16(_mm256_abs_epi8(q), _mm256_sign_epi8(x, q))
                                : _mm256_maddubs_epi16(q, x);
  return _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
/// p[0] in the lanes of the first sixteen bytes, p[1] in those of the others.
ASHLAR_INLINE F halves(const float* p) {
  return _mm256_set_m128(_mm_broadcast_ss(p + 1), _mm_broadcast_ss(p));
}
ASHLAR_INLINE float half_at(const uint8_t* p) {
  unsigned short bits;
  __builtin_memcpy(&bits, p, 2);
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}
