// Eight floats: the vocabulary that rows.inl, gemm.inl and attention.inl are written in, for AVX2
// with FMA.

using F = __m256;
constexpr int64_t kW = 8;

ASHLAR_INLINE __m256i first(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

ASHLAR_INLINE F zero() { return _mm256_setzero_ps(); }
ASHLAR_INLINE F set1(float v) { return _mm256_set1_ps(v); }
ASHLAR_INLINE F load(const float* p) { return _mm256_loadu_ps(p); }
ASHLAR_INLINE F load_n(const float* p, int64_t n) { return _mm256_maskload_ps(p, first(n)); }
ASHLAR_INLINE void store(float* p, F v) { _mm256_storeu_ps(p, v); }
ASHLAR_INLINE void store_n(float* p, F v, int64_t n) { _mm256_maskstore_ps(p, first(n), v); }
ASHLAR_INLINE F add(F a, F b) { return _mm256_add_ps(a, b); }
ASHLAR_INLINE F sub(F a, F b) { return _mm256_sub_ps(a, b); }
ASHLAR_INLINE F mul(F a, F b) { return _mm256_mul_ps(a, b); }
ASHLAR_INLINE F div(F a, F b) { return _mm256_div_ps(a, b); }
ASHLAR_INLINE F max(F a, F b) { return _mm256_max_ps(a, b); }
ASHLAR_INLINE F min(F a, F b) { return _mm256_min_ps(a, b); }
ASHLAR_INLINE F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }    // a b + c
ASHLAR_INLINE F fnma(F a, F b, F c) { return _mm256_fnmadd_ps(a, b, c); }  // c - a b
ASHLAR_INLINE F abs(F a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
ASHLAR_INLINE F round(F a) { return _mm256_round_ps(a, 8); }
ASHLAR_INLINE float sum(F a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
ASHLAR_INLINE float largest(F a) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
/// Lane i: the sum of v[i].
ASHLAR_INLINE F sum_each(const F (&v)[8]) {
  F half[2];  // lanes of 128 bits: a part of the sums of four of them
  for (int i = 0; i < 2; ++i) {
    const F* x = v + 4 * i;
    const F a = add(_mm256_unpacklo_ps(x[0], x[1]), _mm256_unpackhi_ps(x[0], x[1]));
    const F b = add(_mm256_unpacklo_ps(x[2], x[3]), _mm256_unpackhi_ps(x[2], x[3]));
    half[i] = add(_mm256_shuffle_ps(a, b, 0x44), _mm256_shuffle_ps(a, b, 0xee));
  }
  return add(_mm256_permute2f128_ps(half[0], half[1], 0x20),
             _mm256_permute2f128_ps(half[0], half[1], 0x31));
}
/// a < b ? x : y, lane by lane.
ASHLAR_INLINE F if_less(F a, F b, F x, F y) {
  return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
/// a * 2^n for whole n of -252 .. 254, in two steps so that subnormal results come out right.
ASHLAR_INLINE F scale2(F a, F n) {
  const __m256i whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1), rest = _mm256_sub_epi32(whole, half);
  const __m256i bias = _mm256_set1_epi32(127);
  const F f = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
  const F g = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
  return _mm256_mul_ps(_mm256_mul_ps(a, f), g);
}

ASHLAR_INLINE __m128i load_words_n(const void* p, int64_t n) {
  alignas(16) uint16_t words[8] = {};
  __builtin_memcpy(words, p, static_cast<size_t>(n) * 2);
  return _mm_load_si128(reinterpret_cast<const __m128i*>(words));
}
ASHLAR_INLINE void store_words_n(void* p, __m128i v, int64_t n) {
  alignas(16) uint16_t words[8];
  _mm_store_si128(reinterpret_cast<__m128i*>(words), v);
  __builtin_memcpy(p, words, static_cast<size_t>(n) * 2);
}
ASHLAR_INLINE F load_f16(const void* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(p)));
}
ASHLAR_INLINE F load_f16_n(const void* p, int64_t n) { return _mm256_cvtph_ps(load_words_n(p, n)); }
ASHLAR_INLINE F widen_bf16(__m128i v) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(v), 16));
}
ASHLAR_INLINE F load_bf16(const void* p) {
  return widen_bf16(_mm_loadu_si128(static_cast<const __m128i*>(p)));
}
ASHLAR_INLINE F load_bf16_n(const void* p, int64_t n) { return widen_bf16(load_words_n(p, n)); }
/// Round to nearest even; a NaN stays one.
ASHLAR_INLINE __m128i narrow_bf16(F v) {
  const __m256i u = _mm256_castps_si256(v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
  const __m256i r = _mm256_add_epi32(_mm256_add_epi32(u, _mm256_set1_epi32(0x7fff)), odd);
  const __m256i nan = _mm256_or_si256(u, _mm256_set1_epi32(0x400000));
  const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  const __m256i high = _mm256_srli_epi32(_mm256_blendv_epi8(r, nan, is_nan), 16);
  return _mm_packus_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1));
}
ASHLAR_INLINE void store_bf16(void* p, F v) {
  _mm_storeu_si128(static_cast<__m128i*>(p), narrow_bf16(v));
}
ASHLAR_INLINE void store_bf16_n(void* p, F v, int64_t n) { store_words_n(p, narrow_bf16(v), n); }
ASHLAR_INLINE void store_f16(void* p, F v) {
  _mm_storeu_si128(static_cast<__m128i*>(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
ASHLAR_INLINE void store_f16_n(void* p, F v, int64_t n) {
  store_words_n(p, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT), n);
}

/// x0[j], x1[j] of 8 pairs stored (x0[0], x1[0], x0[1], ...).
ASHLAR_INLINE void split_pairs(F low, F high, F* even, F* odd) {
  const F a = _mm256_permute2f128_ps(low, high, 0x20), b = _mm256_permute2f128_ps(low, high, 0x31);
  *even = _mm256_shuffle_ps(a, b, 0x88);
  *odd = _mm256_shuffle_ps(a, b, 0xdd);
}
ASHLAR_INLINE void join_pairs(F even, F odd, F* low, F* high) {
  const F a = _mm256_unpacklo_ps(even, odd), b = _mm256_unpackhi_ps(even, odd);
  *low = _mm256_permute2f128_ps(a, b, 0x20);
  *high = _mm256_permute2f128_ps(a, b, 0x31);
}

/// Transposes kW rows of kW 32-bit words: out[c * out_stride + r] = in[r * in_stride + c] (strides
/// in words).
ASHLAR_INLINE void transpose(const float* in, int64_t in_stride, float* out, int64_t out_stride) {
  __m256 b[8];
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    const float* p = in + i * in_stride;
    const __m256 a0 = _mm256_loadu_ps(p), a1 = _mm256_loadu_ps(p + in_stride);
    const __m256 a2 = _mm256_loadu_ps(p + 2 * in_stride), a3 = _mm256_loadu_ps(p + 3 * in_stride);
    const __m256 t0 = _mm256_unpacklo_ps(a0, a1), t1 = _mm256_unpackhi_ps(a0, a1);
    const __m256 t2 = _mm256_unpacklo_ps(a2, a3), t3 = _mm256_unpackhi_ps(a2, a3);
    b[i] = _mm256_shuffle_ps(t0, t2, 0x44);
    b[i + 1] = _mm256_shuffle_ps(t0, t2, 0xee);
    b[i + 2] = _mm256_shuffle_ps(t1, t3, 0x44);
    b[i + 3] = _mm256_shuffle_ps(t1, t3, 0xee);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(out + i * out_stride, _mm256_permute2f128_ps(b[i], b[i + 4], 0x20));
    _mm256_storeu_ps(out + (i + 4) * out_stride, _mm256_permute2f128_ps(b[i], b[i + 4], 0x31));
  }
}

/// Eight e4m3 bytes: exponent and mantissa moved under float's, times 2^120 for the difference of
/// biases.
ASHLAR_INLINE F load_e4m3(const void* p) {
  const __m256i v = _mm256_cvtepu8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(p)));
  const __m256i magnitude = _mm256_slli_epi32(_mm256_and_si256(v, _mm256_set1_epi32(0x7f)), 20);
  const __m256i sign = _mm256_slli_epi32(_mm256_and_si256(v, _mm256_set1_epi32(0x80)), 24);
  const F scaled = _mm256_mul_ps(_mm256_castsi256_ps(magnitude), _mm256_set1_ps(0x1p120f));
  return _mm256_or_ps(scaled, _mm256_castsi256_ps(sign));
}

/// Eight signed bytes.
ASHLAR_INLINE F load_int8(const void* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(p))));
}
/// One float16 in all lanes.
ASHLAR_INLINE F load_half(const void* p) {
  short bits;
  __builtin_memcpy(&bits, p, 2);
  return _mm256_cvtph_ps(_mm_set1_epi16(bits));
}

/// Whole numbers of -128 .. 127 as bytes.
ASHLAR_INLINE void store_int8(int8_t* p, F v) {
  const __m256i wide = _mm256_cvtps_epi32(v);
  const __m128i words =
      _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
}
