// Weights and activations to tiles of bfloat16.
//
// A tile of weights is 16 rows of 32 columns as they are; a tile of activations has 16 tokens side
// by side: [pair of columns][token], words of two numbers.

constexpr int64_t kGroup = 16;   // tokens of a tile
constexpr int64_t kPiece = 256;  // columns of a row that are widened at a time

using Widen = void (*)(const std::byte* row, int64_t col, int64_t n, std::byte* out);

ASHLAR_INLINE __m512i round_pairs(F low, F high) {
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}
ASHLAR_INLINE __mmask16 lanes_up_to(int64_t n) {
  return n >= 16 ? __mmask16{0xffff} : n <= 0 ? __mmask16{0} : first(n);
}
ASHLAR_INLINE __mmask32 halves_up_to(int64_t n) {
  return n >= 32 ? ~__mmask32{0} : static_cast<__mmask32>((uint64_t{1} << n) - 1);
}

// Columns [col, col + n) of a row, n at most kPiece, to rows of successive tiles, zeros to the end
// of the last. `col` is a multiple of kPiece.

void widen_bf16_row(const std::byte* row, int64_t col, int64_t n, std::byte* out) {
  for (int64_t i = 0; i < n; i += kStepCols, out += kTileBytes)
    _mm512_store_si512(out, _mm512_maskz_loadu_epi16(halves_up_to(n - i), row + 2 * (col + i)));
}

/// Of float16's 11 bits the upper 8, or what they leave: the two parts are the number.
template <bool rest>
void widen_f16_row(const std::byte* row, int64_t col, int64_t n, std::byte* out) {
  for (int64_t i = 0; i < n; i += kStepCols, out += kTileBytes) {
    const __m512i v = _mm512_maskz_loadu_epi16(halves_up_to(n - i), row + 2 * (col + i));
    const F low = _mm512_cvtph_ps(_mm512_castsi512_si256(v));
    const F high = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(v, 1));
    __m512i pairs = round_pairs(low, high);
    if (rest)
      pairs = round_pairs(sub(low, widen_bf16(_mm512_castsi512_si256(pairs))),
                          sub(high, widen_bf16(_mm512_extracti64x4_epi64(pairs, 1))));
    _mm512_store_si512(out, pairs);
  }
}

void widen_fp8_row(const std::byte* row, int64_t col, int64_t n, std::byte* out) {
  for (int64_t i = 0; i < n; i += kStepCols, out += kTileBytes) {
    const std::byte* block = row + (col + i) / 128 * 132;
    const std::byte* at = block + 4 + (col + i) % 128;
    float d;
    __builtin_memcpy(&d, block, 4);
    _mm512_store_si512(out,
                       round_pairs(mul(load_e4m3(at), set1(d)), mul(load_e4m3(at + 16), set1(d))));
  }
}

/// q scale + low, rounded once.
template <Format f>
void widen_codes(const std::byte* row, int64_t col, int64_t n, std::byte* out) {
  using C = Code<f>;
  constexpr int kCols = C::kCols;
  const auto* p = reinterpret_cast<const uint8_t*>(row) + col / kCols * C::kBytes;
  for (int64_t at = 0; at < n; at += kCols, p += C::kBytes) {
    Chunk<kCols> c;
    C::unpack(p, kCols == 128 ? at_most(4, (n - at) / 32) : 1, c);
    alignas(64) uint8_t q[kCols];
    alignas(64) float scale[16], low[16];  // broadcast from memory: shuffles are what is short
    for (int i = 0; i < kCols / 64; ++i) _mm512_store_si512(q + 64 * i, c.q[i]);
    store(scale, c.scale);
    store(low, mul(c.low, set1(kSumFactor)));
    const int64_t steps = at_most(kCols, n - at) / kStepCols;
#pragma GCC unroll 8
    for (int64_t s = 0; s < steps; ++s, out += kTileBytes) {
      F v[2];
      for (int h = 0; h < 2; ++h) {
        const auto i = static_cast<int>(s) * 32 + 16 * h;
        const __m128i bytes = _mm_load_si128(reinterpret_cast<const __m128i*>(q + i));
        const F whole = _mm512_cvtepi32_ps(C::kSigned ? _mm512_cvtepi8_epi32(bytes)
                                                      : _mm512_cvtepu8_epi32(bytes));
        const int lane = i / C::kSub;
        v[h] = C::kSigned ? mul(whole, set1(scale[lane]))
                          : fma(whole, set1(scale[lane]), set1(low[lane]));
      }
      _mm512_store_si512(out, round_pairs(v[0], v[1]));
    }
  }
}

/// Of the first part of a number; null: products with this format have no tiles.
Widen widening(Format f) {
  switch (f) {
    case Format::bf16:
      return widen_bf16_row;
    case Format::f16:
      return widen_f16_row<false>;
    case Format::fp8_b128:
      return widen_fp8_row;
#define ASHLAR_CASE(name) \
  case Format::name:      \
    return widen_codes<Format::name>;
      ASHLAR_QUANTISED(ASHLAR_CASE)
#undef ASHLAR_CASE
    default:
      return nullptr;
  }
}

// ---- Activations.

/// 16 rows of 16 words, 16 words apart, to 16 words of 16 rows.
ASHLAR_INLINE void transpose_words(const __m512i* rows, std::byte* out) {
  transpose(reinterpret_cast<const float*>(rows), 16, reinterpret_cast<float*>(out), 16);
}

/// One group of at most kGroup tokens, `step` floats apart, in float32; the others are zeros.
void prepare_group(const float* x, int64_t step, int64_t tokens, std::byte* out, int64_t cols) {
  __m512i rows[kGroup];
  for (int64_t t = tokens; t < kGroup; ++t) rows[t] = _mm512_setzero_si512();
  for (int64_t c = 0; c < cols; c += kStepCols, out += kTileBytes) {
    const __mmask16 low = lanes_up_to(cols - c), high = lanes_up_to(cols - c - 16);
    for (int64_t t = 0; t < tokens; ++t) {
      const float* v = x + t * step + c;
      rows[t] = round_pairs(_mm512_maskz_loadu_ps(low, v), _mm512_maskz_loadu_ps(high, v + 16));
    }
    transpose_words(rows, out);
  }
}

/// Tokens [token, token + n) of a product that takes bfloat16 rows, n at most kGroup.
void pack_group(const MatMul& m, int64_t token, int64_t n, std::byte* out) {
  __m512i rows[kGroup];
  const std::byte* x[kGroup];
  for (int64_t t = 0; t < kGroup; ++t) {
    rows[t] = _mm512_setzero_si512();
    if (t < n) x[t] = m.x + (m.x_rows ? m.x_rows[token + t] : token + t) * m.x_row_bytes;
  }
  for (int64_t c = 0; c < m.cols; c += kStepCols, out += kTileBytes) {
    const __mmask32 there = halves_up_to(m.cols - c);
    for (int64_t t = 0; t < n; ++t) rows[t] = _mm512_maskz_loadu_epi16(there, x[t] + 2 * c);
    transpose_words(rows, out);
  }
}
