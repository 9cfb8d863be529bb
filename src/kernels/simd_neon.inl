// Eight floats: the vocabulary that rows.inl, gemm.inl and attention.inl are written in, for NEON,
// whose vectors are half as long. Twelve sums of eight take 24 of its 32 registers.

struct F {
  float32x4_t a, b;
  F() = default;
  ASHLAR_INLINE F(float32x4_t x, float32x4_t y) : a(x), b(y) {}
  // Half by half: gcc 12 keeps arrays of what it copies as a whole in memory.
  ASHLAR_INLINE F(const F& other) : a(other.a), b(other.b) {}
  ASHLAR_INLINE F& operator=(const F& other) {
    a = other.a;
    b = other.b;
    return *this;
  }
};
constexpr int64_t kW = 8;

ASHLAR_INLINE F set1(float v) { return {vdupq_n_f32(v), vdupq_n_f32(v)}; }
ASHLAR_INLINE F zero() { return set1(0); }
ASHLAR_INLINE F load(const float* p) { return {vld1q_f32(p), vld1q_f32(p + 4)}; }
ASHLAR_INLINE F load_n(const float* p, int64_t n) {
  float v[8] = {};
  __builtin_memcpy(v, p, static_cast<size_t>(n) * 4);
  return load(v);
}
ASHLAR_INLINE void store(float* p, F v) {
  vst1q_f32(p, v.a);
  vst1q_f32(p + 4, v.b);
}
ASHLAR_INLINE void store_n(float* p, F v, int64_t n) {
  float all[8];
  store(all, v);
  __builtin_memcpy(p, all, static_cast<size_t>(n) * 4);
}
ASHLAR_INLINE F add(F x, F y) { return {vaddq_f32(x.a, y.a), vaddq_f32(x.b, y.b)}; }
ASHLAR_INLINE F sub(F x, F y) { return {vsubq_f32(x.a, y.a), vsubq_f32(x.b, y.b)}; }
ASHLAR_INLINE F mul(F x, F y) { return {vmulq_f32(x.a, y.a), vmulq_f32(x.b, y.b)}; }
ASHLAR_INLINE F div(F x, F y) { return {vdivq_f32(x.a, y.a), vdivq_f32(x.b, y.b)}; }
ASHLAR_INLINE F max(F x, F y) { return {vmaxq_f32(x.a, y.a), vmaxq_f32(x.b, y.b)}; }
ASHLAR_INLINE F min(F x, F y) { return {vminq_f32(x.a, y.a), vminq_f32(x.b, y.b)}; }
ASHLAR_INLINE F fma(F x, F y, F c) {  // x y + c
  return {vfmaq_f32(c.a, x.a, y.a), vfmaq_f32(c.b, x.b, y.b)};
}
ASHLAR_INLINE F fnma(F x, F y, F c) {  // c - x y
  return {vfmsq_f32(c.a, x.a, y.a), vfmsq_f32(c.b, x.b, y.b)};
}
ASHLAR_INLINE F abs(F x) { return {vabsq_f32(x.a), vabsq_f32(x.b)}; }
ASHLAR_INLINE F round(F x) { return {vrndnq_f32(x.a), vrndnq_f32(x.b)}; }
ASHLAR_INLINE float sum(F x) { return vaddvq_f32(vaddq_f32(x.a, x.b)); }
ASHLAR_INLINE float largest(F x) { return vmaxvq_f32(vmaxq_f32(x.a, x.b)); }
/// Lane i: the sum of v[i].
ASHLAR_INLINE F sum_each(const F (&v)[8]) {
  float32x4_t pairs[4];
  for (int i = 0; i < 4; ++i)
    pairs[i] =
        vpaddq_f32(vaddq_f32(v[2 * i].a, v[2 * i].b), vaddq_f32(v[2 * i + 1].a, v[2 * i + 1].b));
  return {vpaddq_f32(pairs[0], pairs[1]), vpaddq_f32(pairs[2], pairs[3])};
}
/// a < b ? x : y, lane by lane.
ASHLAR_INLINE F if_less(F a, F b, F x, F y) {
  return {vbslq_f32(vcltq_f32(a.a, b.a), x.a, y.a), vbslq_f32(vcltq_f32(a.b, b.b), x.b, y.b)};
}
/// a * 2^n for whole n of -252 .. 254, in two steps so that subnormal results come out right.
ASHLAR_INLINE float32x4_t scale2(float32x4_t a, float32x4_t n) {
  const int32x4_t whole = vcvtq_s32_f32(n);
  const int32x4_t half = vshrq_n_s32(whole, 1), rest = vsubq_s32(whole, half);
  const int32x4_t bias = vdupq_n_s32(127);
  const float32x4_t f = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(half, bias), 23));
  const float32x4_t g = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(rest, bias), 23));
  return vmulq_f32(vmulq_f32(a, f), g);
}
ASHLAR_INLINE F scale2(F x, F n) { return {scale2(x.a, n.a), scale2(x.b, n.b)}; }

ASHLAR_INLINE uint16x8_t load_words(const void* p) {
  uint16x8_t v;
  __builtin_memcpy(&v, p, 16);
  return v;
}
ASHLAR_INLINE uint16x8_t load_words_n(const void* p, int64_t n) {
  uint16_t words[8] = {};
  __builtin_memcpy(words, p, static_cast<size_t>(n) * 2);
  return vld1q_u16(words);
}
ASHLAR_INLINE void store_words_n(void* p, uint16x8_t v, int64_t n) {
  uint16_t words[8];
  vst1q_u16(words, v);
  __builtin_memcpy(p, words, static_cast<size_t>(n) * 2);
}
ASHLAR_INLINE F widen_f16(uint16x8_t v) {
  const float16x8_t halves = vreinterpretq_f16_u16(v);
  return {vcvt_f32_f16(vget_low_f16(halves)), vcvt_high_f32_f16(halves)};
}
ASHLAR_INLINE F load_f16(const void* p) { return widen_f16(load_words(p)); }
ASHLAR_INLINE F load_f16_n(const void* p, int64_t n) { return widen_f16(load_words_n(p, n)); }
ASHLAR_INLINE F widen_bf16(uint16x8_t v) {
  return {vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(v), 16)),
          vreinterpretq_f32_u32(vshll_high_n_u16(v, 16))};
}
ASHLAR_INLINE F load_bf16(const void* p) { return widen_bf16(load_words(p)); }
ASHLAR_INLINE F load_bf16_n(const void* p, int64_t n) { return widen_bf16(load_words_n(p, n)); }
/// Round to nearest even; a NaN stays one.
ASHLAR_INLINE uint16x4_t narrow_bf16(float32x4_t v) {
  const uint32x4_t u = vreinterpretq_u32_f32(v);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(u, 16), vdupq_n_u32(1));
  const uint32x4_t r = vaddq_u32(vaddq_u32(u, vdupq_n_u32(0x7fff)), odd);
  const uint32x4_t nan = vorrq_u32(u, vdupq_n_u32(0x400000));
  return vshrn_n_u32(vbslq_u32(vceqq_f32(v, v), r, nan), 16);
}
ASHLAR_INLINE uint16x8_t narrow_bf16(F v) {
  return vcombine_u16(narrow_bf16(v.a), narrow_bf16(v.b));
}
ASHLAR_INLINE uint16x8_t narrow_f16(F v) {
  return vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(v.a), v.b));
}
ASHLAR_INLINE void store_bf16(void* p, F v) { store_words_n(p, narrow_bf16(v), 8); }
ASHLAR_INLINE void store_bf16_n(void* p, F v, int64_t n) { store_words_n(p, narrow_bf16(v), n); }
ASHLAR_INLINE void store_f16(void* p, F v) { store_words_n(p, narrow_f16(v), 8); }
ASHLAR_INLINE void store_f16_n(void* p, F v, int64_t n) { store_words_n(p, narrow_f16(v), n); }

/// x0[j], x1[j] of 8 pairs stored (x0[0], x1[0], x0[1], ...).
ASHLAR_INLINE void split_pairs(F low, F high, F* even, F* odd) {
  *even = {vuzp1q_f32(low.a, low.b), vuzp1q_f32(high.a, high.b)};
  *odd = {vuzp2q_f32(low.a, low.b), vuzp2q_f32(high.a, high.b)};
}
ASHLAR_INLINE void join_pairs(F even, F odd, F* low, F* high) {
  *low = {vzip1q_f32(even.a, odd.a), vzip2q_f32(even.a, odd.a)};
  *high = {vzip1q_f32(even.b, odd.b), vzip2q_f32(even.b, odd.b)};
}

/// Transposes kW rows of kW 32-bit words: out[c * out_stride + r] = in[r * in_stride + c] (strides
/// in words), four by four.
ASHLAR_INLINE void transpose(const float* in, int64_t in_stride, float* out, int64_t out_stride) {
  for (int r = 0; r < 8; r += 4) {
    for (int c = 0; c < 8; c += 4) {
      const float* p = in + r * in_stride + c;
      const float32x4_t x0 = vld1q_f32(p), x1 = vld1q_f32(p + in_stride);
      const float32x4_t x2 = vld1q_f32(p + 2 * in_stride), x3 = vld1q_f32(p + 3 * in_stride);
      const float64x2_t t0 = vreinterpretq_f64_f32(vzip1q_f32(x0, x1));
      const float64x2_t t1 = vreinterpretq_f64_f32(vzip2q_f32(x0, x1));
      const float64x2_t t2 = vreinterpretq_f64_f32(vzip1q_f32(x2, x3));
      const float64x2_t t3 = vreinterpretq_f64_f32(vzip2q_f32(x2, x3));
      float* q = out + c * out_stride + r;
      vst1q_f32(q, vreinterpretq_f32_f64(vzip1q_f64(t0, t2)));
      vst1q_f32(q + out_stride, vreinterpretq_f32_f64(vzip2q_f64(t0, t2)));
      vst1q_f32(q + 2 * out_stride, vreinterpretq_f32_f64(vzip1q_f64(t1, t3)));
      vst1q_f32(q + 3 * out_stride, vreinterpretq_f32_f64(vzip2q_f64(t1, t3)));
    }
  }
}

/// Eight signed bytes.
ASHLAR_INLINE F load_int8(const void* p) {
  int8x8_t bytes;
  __builtin_memcpy(&bytes, p, 8);
  const int16x8_t words = vmovl_s8(bytes);
  return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(words))), vcvtq_f32_s32(vmovl_high_s16(words))};
}
/// Eight e4m3 bytes: exponent and mantissa moved under float's, times 2^120 for the difference of
/// biases.
ASHLAR_INLINE float32x4_t widen_e4m3(uint32x4_t v) {
  const uint32x4_t magnitude = vshlq_n_u32(vandq_u32(v, vdupq_n_u32(0x7f)), 20);
  const uint32x4_t sign = vshlq_n_u32(vandq_u32(v, vdupq_n_u32(0x80)), 24);
  const float32x4_t scaled = vmulq_f32(vreinterpretq_f32_u32(magnitude), vdupq_n_f32(0x1p120f));
  return vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(scaled), sign));
}
ASHLAR_INLINE F load_e4m3(const void* p) {
  uint8x8_t bytes;
  __builtin_memcpy(&bytes, p, 8);
  const uint16x8_t words = vmovl_u8(bytes);
  return {widen_e4m3(vmovl_u16(vget_low_u16(words))), widen_e4m3(vmovl_high_u16(words))};
}
/// One float16 in all lanes.
ASHLAR_INLINE F load_half(const void* p) {
  uint16_t bits;
  __builtin_memcpy(&bits, p, 2);
  return widen_f16(vdupq_n_u16(bits));
}

/// Whole numbers of -128 .. 127 as bytes.
ASHLAR_INLINE void store_int8(int8_t* p, F v) {
  const int16x8_t words = vqmovn_high_s32(vqmovn_s32(vcvtq_s32_f32(v.a)), vcvtq_s32_f32(v.b));
  vst1_s8(p, vqmovn_s16(words));
}
