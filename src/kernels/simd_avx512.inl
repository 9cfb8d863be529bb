// Sixteen floats: the vocabulary that rows.inl, gemm.inl and attention.inl are written in, for
// AVX-512.

using F = __m512;
constexpr int64_t kW = 16;

ASHLAR_INLINE __mmask16 first(int64_t n) { return static_cast<__mmask16>((1u << n) - 1); }

ASHLAR_INLINE F zero() { return _mm512_setzero_ps(); }
ASHLAR_INLINE F set1(float v) { return _mm512_set1_ps(v); }
ASHLAR_INLINE F load(const float* p) { return _mm512_loadu_ps(p); }
ASHLAR_INLINE F load_n(const float* p, int64_t n) { return _mm512_maskz_loadu_ps(first(n), p); }
ASHLAR_INLINE void store(float* p, F v) { _mm512_storeu_ps(p, v); }
ASHLAR_INLINE void store_n(float* p, F v, int64_t n) { _mm512_mask_storeu_ps(p, first(n), v); }
ASHLAR_INLINE F add(F a, F b) { return _mm512_add_ps(a, b); }
ASHLAR_INLINE F sub(F a, F b) { return _mm512_sub_ps(a, b); }
ASHLAR_INLINE F mul(F a, F b) { return _mm512_mul_ps(a, b); }
ASHLAR_INLINE F div(F a, F b) { return _mm512_div_ps(a, b); }
ASHLAR_INLINE F max(F a, F b) { return _mm512_max_ps(a, b); }
ASHLAR_INLINE F min(F a, F b) { return _mm512_min_ps(a, b); }
ASHLAR_INLINE F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }    // a b + c
ASHLAR_INLINE F fnma(F a, F b, F c) { return _mm512_fnmadd_ps(a, b, c); }  // c - a b
ASHLAR_INLINE F abs(F a) { return _mm512_abs_ps(a); }
ASHLAR_INLINE F round(F a) { return _mm512_roundscale_ps(a, 8); }
ASHLAR_INLINE float sum(F a) { return _mm512_reduce_add_ps(a); }
ASHLAR_INLINE float largest(F a) { return _mm512_reduce_max_ps(a); }
/// Lane i: the sum of v[i].
ASHLAR_INLINE F sum_each(const F (&v)[16]) {
  F quarter[4];  // lanes of 128 bits: a part of the sums of four of them
  for (int i = 0; i < 4; ++i) {
    const F* x = v + 4 * i;
    const F a = add(_mm512_unpacklo_ps(x[0], x[1]), _mm512_unpackhi_ps(x[0], x[1]));
    const F b = add(_mm512_unpacklo_ps(x[2], x[3]), _mm512_unpackhi_ps(x[2], x[3]));
    quarter[i] = add(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xee));
  }
  F half[2];
  for (int i = 0; i < 2; ++i) {
    const F a = quarter[2 * i], b = quarter[2 * i + 1];
    half[i] = add(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
  }
  return add(_mm512_shuffle_f32x4(half[0], half[1], 0x88),
             _mm512_shuffle_f32x4(half[0], half[1], 0xdd));
}
/// a < b ? x : y, lane by lane.
ASHLAR_INLINE F if_less(F a, F b, F x, F y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
/// a * 2^n for whole n; exact also where the result is subnormal.
ASHLAR_INLINE F scale2(F a, F n) { return _mm512_scalef_ps(a, n); }

ASHLAR_INLINE F load_f16(const void* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
}
ASHLAR_INLINE F load_f16_n(const void* p, int64_t n) {
  return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first(n), p));
}
ASHLAR_INLINE F widen_bf16(__m256i v) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
}
ASHLAR_INLINE F load_bf16(const void* p) {
  return widen_bf16(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
}
ASHLAR_INLINE F load_bf16_n(const void* p, int64_t n) {
  return widen_bf16(_mm256_maskz_loadu_epi16(first(n), p));
}
/// Round to nearest even; a NaN stays one.
ASHLAR_INLINE __m256i narrow_bf16(F v) {
  const __m512i u = _mm512_castps_si512(v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
  __m512i r = _mm512_add_epi32(_mm512_add_epi32(u, _mm512_set1_epi32(0x7fff)), odd);
  r = _mm512_mask_or_epi32(r, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), u,
                           _mm512_set1_epi32(0x400000));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(r, 16));
}
ASHLAR_INLINE void store_bf16(void* p, F v) {
  _mm256_storeu_si256(static_cast<__m256i*>(p), narrow_bf16(v));
}
ASHLAR_INLINE void store_bf16_n(void* p, F v, int64_t n) {
  _mm256_mask_storeu_epi16(p, first(n), narrow_bf16(v));
}
ASHLAR_INLINE void store_f16(void* p, F v) {
  _mm256_storeu_si256(static_cast<__m256i*>(p), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
ASHLAR_INLINE void store_f16_n(void* p, F v, int64_t n) {
  _mm256_mask_storeu_epi16(p, first(n), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}

/// x0[j], x1[j] of 16 pairs stored (x0[0], x1[0], x0[1], ...).
ASHLAR_INLINE void split_pairs(F low, F high, F* even, F* odd) {
  const __m512i e = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i o = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
  *even = _mm512_permutex2var_ps(low, e, high);
  *odd = _mm512_permutex2var_ps(low, o, high);
}
ASHLAR_INLINE void join_pairs(F even, F odd, F* low, F* high) {
  const __m512i l = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i h = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  *low = _mm512_permutex2var_ps(even, l, odd);
  *high = _mm512_permutex2var_ps(even, h, odd);
}

/// Transposes kW rows of kW 32-bit words: out[c * out_stride + r] = in[r * in_stride + c] (strides
/// in words).
ASHLAR_INLINE void transpose(const float* in, int64_t in_stride, float* out, int64_t out_stride) {
  __m512 a[16], b[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) a[i] = _mm512_loadu_ps(in + i * in_stride);
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    const __m512 t0 = _mm512_unpacklo_ps(a[i], a[i + 1]), t1 = _mm512_unpackhi_ps(a[i], a[i + 1]);
    const __m512 t2 = _mm512_unpacklo_ps(a[i + 2], a[i + 3]);
    const __m512 t3 = _mm512_unpackhi_ps(a[i + 2], a[i + 3]);
    b[i] = _mm512_shuffle_ps(t0, t2, 0x44);      // word 0 of each lane, rows i .. i + 3
    b[i + 1] = _mm512_shuffle_ps(t0, t2, 0xee);  // word 1
    b[i + 2] = _mm512_shuffle_ps(t1, t3, 0x44);
    b[i + 3] = _mm512_shuffle_ps(t1, t3, 0xee);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512 l0 = _mm512_shuffle_f32x4(b[i], b[i + 4], 0x88);  // lanes 0, 2
    const __m512 l1 = _mm512_shuffle_f32x4(b[i], b[i + 4], 0xdd);  // lanes 1, 3
    const __m512 h0 = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0x88);
    const __m512 h1 = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0xdd);
    _mm512_storeu_ps(out + i * out_stride, _mm512_shuffle_f32x4(l0, h0, 0x88));
    _mm512_storeu_ps(out + (i + 4) * out_stride, _mm512_shuffle_f32x4(l1, h1, 0x88));
    _mm512_storeu_ps(out + (i + 8) * out_stride, _mm512_shuffle_f32x4(l0, h0, 0xdd));
    _mm512_storeu_ps(out + (i + 12) * out_stride, _mm512_shuffle_f32x4(l1, h1, 0xdd));
  }
}

/// Sixteen e4m3 bytes: exponent and mantissa moved under float's, times 2^120 for the difference of
/// biases.
ASHLAR_INLINE F load_e4m3(const void* p) {
  const __m512i v = _mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p)));
  const __m512i magnitude = _mm512_slli_epi32(_mm512_and_si512(v, _mm512_set1_epi32(0x7f)), 20);
  const __m512i sign = _mm512_slli_epi32(_mm512_and_si512(v, _mm512_set1_epi32(0x80)), 24);
  const F scaled = _mm512_mul_ps(_mm512_castsi512_ps(magnitude), _mm512_set1_ps(0x1p120f));
  return _mm512_or_ps(scaled, _mm512_castsi512_ps(sign));
}

/// Sixteen signed bytes.
ASHLAR_INLINE F load_int8(const void* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))));
}
/// One float16 in all lanes.
ASHLAR_INLINE F load_half(const void* p) {
  short bits;
  __builtin_memcpy(&bits, p, 2);
  return _mm512_cvtph_ps(_mm256_set1_epi16(bits));
}

/// Whole numbers of -128 .. 127 as bytes.
ASHLAR_INLINE void store_int8(int8_t* p, F v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
}
