// Products of quantised weights with int8 activations, by vpdpbusd: row dots for few tokens, panels
// for many.
//
// With value[c] = scale q + low and x[c] = xs xq, a run of kSub columns contributes
//   scale xs (sum of q xq) + low (xs sum of xq),
// the second factor being what a prepared row stores, kSumFactor times, as sum / half_sum. Signed q
// are shifted by kSumFactor = 128.

// ---- Few tokens.

/// Lane of a chunk's scale vector for each int32 lane of the products of columns 64 i ..
template <int kSub>
ASHLAR_INLINE __m512i scale_lanes(int i) {
  const __m512i step = kSub == 32
                           ? _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1)
                           : _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  return _mm512_add_epi32(step, _mm512_set1_epi32(i * 64 / kSub));
}

template <Format f>
using ChunkOf = Chunk<Code<f>::kCols>;

/// A chunk with unsigned q.
template <Format f>
ASHLAR_INLINE void unpack_unsigned(const uint8_t* p, int64_t blocks, ChunkOf<f>& c) {
  Code<f>::unpack(p, blocks, c);
  if (Code<f>::kSigned) {
    for (__m512i& q : c.q) q = _mm512_xor_si512(q, _mm512_set1_epi8(static_cast<char>(0x80)));
    c.low = sub(zero(), c.scale);
  }
}

/// Parts of a prepared row, all of which move by multiples of the bytes of its scales: 8 times as
/// many of q, as many sums of 32 columns, twice as many of 16.
struct Q8Row {
  const std::byte *q, *scale, *sum;
  template <Format f>
  static ASHLAR_INLINE Q8Row of(const std::byte* row, const Q8Layout& at) {
    return {row, row + at.scale, row + (Code<f>::kSub == 32 ? at.sum : at.half_sum)};
  }
};

/// A chunk against the columns of T prepared rows from that on whose scale lies `at` bytes after
/// the first.
template <Format f, int T>
ASHLAR_INLINE void dot_chunk(const uint8_t* p, int64_t blocks, const Q8Row* x, int64_t at,
                             F (&acc)[T]) {
  constexpr int kCols = Code<f>::kCols, kSub = Code<f>::kSub;
  ChunkOf<f> c;
  unpack_unsigned<f>(p, blocks, c);
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
    const auto* xs = reinterpret_cast<const float*>(x[t].scale + at);
    const auto* s = reinterpret_cast<const float*>(x[t].sum + at * (32 / kSub));
    F scale, sums;
    if (kSub == 32) {
      scale = low_lanes<kCols / 32>(xs);
      sums = low_lanes<kCols / 32>(s);
    } else {
      const __m512i pairs = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
      scale = _mm512_permutexvar_ps(pairs, _mm512_castps256_ps512(_mm256_loadu_ps(xs)));
      sums = load(s);
    }
    scale = mul(scale, c.scale);
#pragma GCC unroll 4
    for (int i = 0; i < kCols / 64; ++i) {
      const __m512i product = _mm512_dpbusd_epi32(_mm512_setzero_si512(), c.q[i],
                                                  _mm512_loadu_si512(x[t].q + 8 * at + 64 * i));
      acc[t] = fma(_mm512_cvtepi32_ps(product), _mm512_permutexvar_ps(scale_lanes<kSub>(i), scale),
                   acc[t]);
    }
    acc[t] = fma(c.low, sums, acc[t]);
  }
}

/// What rows add up to, sixteen together: by itself a row's sum takes as long as some 200 of its
/// columns (row dots of 1,024 columns in Cascade Lake's cache: q4_k 10.3 -> 12.7 GB/s, q8_0 17.7 ->
/// 20.3).
template <int T>
struct RowSums {
  const MatMul& m;
  int64_t token, count = 0, rows[16];
  F lanes[T][16];

  ASHLAR_INLINE void add_row(int64_t row, const F (&acc)[T]) {
    rows[count] = row;
    for (int t = 0; t < T; ++t) lanes[t][count] = acc[t];
    if (++count == 16) put();
  }
  ASHLAR_INLINE void put() {
    for (int t = 0; t < T; ++t) {
      alignas(64) float sums[16];
      store(sums, sum_each(lanes[t]));
      float* y = m.y + (token + t) * m.y_stride;
      for (int64_t i = 0; i < count; ++i) y[rows[i]] = sums[i] + (m.bias ? m.bias[rows[i]] : 0.0f);
    }
    count = 0;
  }
};

// Several rows side by side would share the tokens' loads, but take turns in memory: 5 GB/s where
// one after the other gives 25 (q8_0 of 1,024 columns, one core of Zen 4).
template <Format f, int T>
void dot_tokens_q8(const MatMul& m, int64_t token) {
  using C = Code<f>;
  const Q8Layout layout = q8_layout(m.cols);
  Q8Row x[T];
  for (int t = 0; t < T; ++t) x[t] = Q8Row::of<f>(token_row(m, token + t), layout);
  const int64_t whole = m.cols / C::kCols * (C::kCols / 8), rest = m.cols % C::kCols / 32;
  const RowOrder order(m);
  const int64_t ahead = kBytesAhead;
  RowSums<T> sums{.m = m, .token = token, .rows = {}, .lanes = {}};
  for (int64_t n = 0; n < m.row_end - m.row_begin; ++n) {
    const int64_t r = order.at(n);
    const auto* p = reinterpret_cast<const uint8_t*>(m.w + r * m.w_row_bytes);
    F acc[T];
    for (int t = 0; t < T; ++t) acc[t] = zero();
    for (int64_t at = 0; at < whole; at += C::kCols / 8, p += C::kBytes) {
      for (int i = 0; i < C::kBytes; i += 64) __builtin_prefetch(p + ahead + i, 0, 3);
      dot_chunk<f, T>(p, 4, x, at, acc);
    }
    if (C::kCols == 128 && rest) dot_chunk<f, T>(p, rest, x, whole, acc);
    sums.add_row(r, acc);
  }
  if (sums.count > 0) sums.put();
}

template <Format f>
void dot_all_q8(const MatMul& m) {
  int64_t t = 0;
  for (; t + 4 <= m.tokens; t += 4) dot_tokens_q8<f, 4>(m, t);
  switch (m.tokens - t) {
    case 1:
      dot_tokens_q8<f, 1>(m, t);
      break;
    case 2:
      dot_tokens_q8<f, 2>(m, t);
      break;
    case 3:
      dot_tokens_q8<f, 3>(m, t);
      break;
    default:
      break;
  }
}

// ---- Many tokens: a panel of kPanelRows rows, at most kPanelCols columns,
//   q[cols / 4][kPanelRows] words of 4 columns, and per kSub columns scale[kPanelRows] and, unless
//   values are scale (q - 128), low[kPanelRows].

/// Formats whose values are scale (q - offset); 0: others.
template <Format f>
constexpr int kOffset = 0;
template <>
constexpr int kOffset<Format::q4_0> = 8;
template <>
constexpr int kOffset<Format::q5_0> = 16;
template <>
constexpr int kOffset<Format::q8_0> = 128;
template <>
constexpr int kOffset<Format::q3_k> = 4;
template <>
constexpr int kOffset<Format::q6_k> = 32;
template <>
constexpr int kOffset<Format::iq4_nl> = 128;
template <>
constexpr int kOffset<Format::iq4_xs> = 128;
template <>
constexpr int kOffset<Format::mxfp4> = 12;
template <>
constexpr int kOffset<Format::int4_g32> = 8;

/// Floats that a panel has per kSub columns.
template <Format f>
constexpr int64_t kRunFloats = (kOffset<f> == 0 ? 2 : 1) * kPanelRows;

/// Bytes of a column of a panel: of its q and of its part of a run's floats.
template <Format f>
constexpr int64_t kColumnBytes = kPanelRows + kRunFloats<f> * 4 / Code<f>::kSub;

/// Sixteen rows as they come, kStageCols columns of them.
struct Stage {
  alignas(64) uint8_t q[16][kStageCols];
  alignas(64) float scale[16][16], low[16][16];
};

/// Columns [col, col + kStageCols) of one row (zeros past the row's end) into row i of the stage.
template <Format f>
ASHLAR_INLINE void stage_row(const uint8_t* row, int64_t cols, int64_t col, int64_t i, Stage* s) {
  using C = Code<f>;
  constexpr int kLanes = C::kCols / C::kSub;
  for (int part = 0; part < kStageCols / C::kCols; ++part) {
    const int64_t c0 = col + part * C::kCols;
    ChunkOf<f> c;
    const int64_t blocks = C::kCols == 128 ? at_most(4, (cols - c0) / 32) : 1;
    if (blocks > 0) {
      unpack_unsigned<f>(row + c0 / C::kCols * C::kBytes, blocks, c);
    } else {
      for (__m512i& q : c.q) q = _mm512_setzero_si512();
      c.scale = c.low = zero();
    }
    if (kOffset<f> != 0 && kOffset<f> != 128)
      for (__m512i& q : c.q) q = _mm512_add_epi8(q, _mm512_set1_epi8(128 - kOffset<f>));
    for (int j = 0; j < C::kCols / 64; ++j)
      _mm512_store_si512(s->q[i] + part * C::kCols + 64 * j, c.q[j]);
    store_lanes<kLanes>(s->scale[i] + part * kLanes, c.scale);
    if (kOffset<f> == 0) store_lanes<kLanes>(s->low[i] + part * kLanes, c.low);
  }
}

/// Columns [begin, end), whole stages, of kPanelRows rows.
template <Format f>
void pack_q8(const MatMul& m, int64_t row, int64_t begin, int64_t end, std::byte* panel_q,
             float* panel_s, Stage* stage) {
  constexpr int kRuns = kStageCols / Code<f>::kSub;  // per stage
  alignas(64) float transposed[2][16 * 16];
  for (int64_t g = 0; g < 2; ++g) {
    auto* words = reinterpret_cast<float*>(panel_q) + g * 16;
    float* s = panel_s + g * 16;
    for (int64_t col = begin; col < end; col += kStageCols) {
      for (int64_t i = 0; i < 16; ++i) {
        const int64_t r = row + g * 16 + i;
        if (r < m.row_end) {
          const auto* bytes = reinterpret_cast<const uint8_t*>(m.w + r * m.w_row_bytes);
          ask_for_next_panel(m, r, col / Code<f>::kCols * Code<f>::kBytes,
                             kStageCols / Code<f>::kCols * Code<f>::kBytes);
          stage_row<f>(bytes, m.cols, col, i, stage);
        } else {
          __builtin_memset(stage->q[i], 0, kStageCols);
          __builtin_memset(stage->scale[i], 0, 64);
          __builtin_memset(stage->low[i], 0, 64);
        }
      }
      for (int64_t k = 0; k < kStageCols / 4; k += 16, words += 16 * kPanelRows)
        transpose(reinterpret_cast<const float*>(stage->q[0]) + k, kStageCols / 4, words,
                  kPanelRows);
      transpose(stage->scale[0], 16, transposed[0], 16);
      if (kOffset<f> == 0) transpose(stage->low[0], 16, transposed[1], 16);
      for (int64_t j = 0; j < kRuns; ++j, s += kRunFloats<f>) {
        store(s, load(transposed[0] + 16 * j));
        if (kOffset<f> == 0) store(s + kPanelRows, load(transposed[1] + 16 * j));
      }
    }
  }
}

/// A weight in panels that stay: for each part of at most kPanelCols columns, q and then floats.
template <Format f>
void pack_blocks(const std::byte* w, int64_t row_bytes, int64_t rows, int64_t cols,
                 std::byte* out) {
  const int64_t padded = q8_layout(cols).padded;
  const MatMul m{.w = w, .w_row_bytes = row_bytes, .cols = cols, .row_end = rows};
  Stage stage;
  for (int64_t row = 0; row < rows; row += kPanelRows) {
    for (int64_t col = 0; col < padded; col += kPanelCols) {
      const int64_t n = at_most(kPanelCols, padded - col);
      auto* floats = reinterpret_cast<float*>(out + n * kPanelRows);
      pack_q8<f>(m, row, col, col + n, out, floats, &stage);
      out += n * kColumnBytes<f>;
    }
  }
}

/// Columns [begin, end) of a panel with T tokens.
template <Format f, int T>
void panel_tile_q8(const MatMul& m, int64_t row, int64_t token, int64_t begin, int64_t end,
                   const std::byte* panel_q, const float* panel_s) {
  constexpr int kSub = Code<f>::kSub;
  constexpr bool kSigned = kOffset<f> != 0;
  const Q8Layout at = q8_layout(m.cols);
  const int64_t sums_at = kSub == 32 ? at.sum : at.half_sum;
  const std::byte* x[T];
  for (int t = 0; t < T; ++t) x[t] = token_row(m, token + t);
  F acc[T][2];
  for (int t = 0; t < T; ++t) acc[t][0] = acc[t][1] = zero();
  const int64_t runs_end = (at_most(m.cols, end) + kSub - 1) / kSub;
  for (int64_t b = begin / kSub; b < runs_end; ++b, panel_s += kRunFloats<f>) {
    __m512i product[T][2];
    for (int t = 0; t < T; ++t) product[t][0] = product[t][1] = _mm512_setzero_si512();
#pragma GCC unroll 8
    for (int c = 0; c < kSub / 4; ++c, panel_q += 4 * kPanelRows) {
      const __m512i w0 = _mm512_loadu_si512(panel_q), w1 = _mm512_loadu_si512(panel_q + 64);
      for (int t = 0; t < T; ++t) {
        int word;
        __builtin_memcpy(&word, x[t] + b * kSub + 4 * c, 4);
        const __m512i v = _mm512_set1_epi32(word);
        product[t][0] = _mm512_dpbusd_epi32(product[t][0], w0, v);
        product[t][1] = _mm512_dpbusd_epi32(product[t][1], w1, v);
      }
    }
    const F s0 = load(panel_s), s1 = load(panel_s + 16);
    for (int t = 0; t < T; ++t) {
      const F xs = set1(reinterpret_cast<const float*>(x[t] + at.scale)[b * kSub / 32]);
      const F sums = set1(reinterpret_cast<const float*>(x[t] + sums_at)[b]);
      const F p0 = _mm512_cvtepi32_ps(product[t][0]), p1 = _mm512_cvtepi32_ps(product[t][1]);
      if (kSigned) {  // scale (xs p - 128 xs (sum of xq))
        acc[t][0] = fma(_mm512_fmsub_ps(p0, xs, sums), s0, acc[t][0]);
        acc[t][1] = fma(_mm512_fmsub_ps(p1, xs, sums), s1, acc[t][1]);
      } else {
        acc[t][0] = fma(p0, mul(s0, xs), fma(load(panel_s + 32), sums, acc[t][0]));
        acc[t][1] = fma(p1, mul(s1, xs), fma(load(panel_s + 48), sums, acc[t][1]));
      }
    }
  }
  put_tile<T>(m, row, token, begin == 0, acc);
}

ASHLAR_INLINE int64_t q8_panel_bytes(int64_t padded) {
  const int64_t cols = at_most(padded, kPanelCols);
  return cols * kPanelRows + cols / 16 * 2 * kPanelRows * 4;  // room for runs of 16
}

/// A panel stays in L1 with the tokens of a tile, and its part of all tokens in L2.
template <Format f>
void matmul_panels_q8(const MatMul& m, std::byte* scratch) {
  const int64_t padded = q8_layout(m.cols).padded, widest = at_most(padded, kPanelCols);
  auto* floats = reinterpret_cast<float*>(scratch + widest * kPanelRows);
  auto* stage = reinterpret_cast<Stage*>(scratch + q8_panel_bytes(padded));
  const int64_t tiles = (m.tokens + kTile - 1) / kTile;
  for (int64_t row = m.row_begin; row < m.row_end; row += kPanelRows) {
    for (int64_t col = 0; col < padded; col += kPanelCols) {
      const int64_t end = at_most(padded, col + kPanelCols);
      const std::byte* q = scratch;
      const float* s = floats;
      if (m.panels != nullptr) {
        q = m.panels + (row / kPanelRows * padded + col) * kColumnBytes<f>;
        s = reinterpret_cast<const float*>(q + (end - col) * kPanelRows);
      } else {
        pack_q8<f>(m, row, col, end, scratch, floats, stage);
      }
      for (int64_t tile = 0; tile < tiles; ++tile) {
        const int64_t t0 = tile_begin(m.tokens, tiles, tile);
        switch (tile_begin(m.tokens, tiles, tile + 1) - t0) {
          case 1:
            panel_tile_q8<f, 1>(m, row, t0, col, end, q, s);
            break;
          case 2:
            panel_tile_q8<f, 2>(m, row, t0, col, end, q, s);
            break;
          case 3:
            panel_tile_q8<f, 3>(m, row, t0, col, end, q, s);
            break;
          case 4:
            panel_tile_q8<f, 4>(m, row, t0, col, end, q, s);
            break;
          case 5:
            panel_tile_q8<f, 5>(m, row, t0, col, end, q, s);
            break;
          default:
            panel_tile_q8<f, 6>(m, row, t0, col, end, q, s);
            break;
        }
      }
    }
  }
}

/// From so many tokens on, packing a panel is cheaper than unpacking the rows once per four tokens.
constexpr int64_t kPanelTokensQ8 = 5;

template <Format f>
void matmul_q8(const MatMul& m, std::byte* scratch) {
  if (m.panels == nullptr && m.tokens < kPanelTokensQ8) {
    dot_all_q8<f>(m);
  } else {
    matmul_panels_q8<f>(m, scratch);
  }
}

// ---- To float32, for panels of floats.

template <Format f>
void decode_q(const std::byte* blocks, int64_t n, float* out) {
  using C = Code<f>;
  const auto* p = reinterpret_cast<const uint8_t*>(blocks);
  for (int64_t col = 0; col < n; col += C::kCols, p += C::kBytes) {
    ChunkOf<f> c;
    C::unpack(p, at_most(4, (n - col) / 32), c);
    c.low = mul(c.low, set1(kSumFactor));
    alignas(64) uint8_t bytes[C::kCols];
    for (int i = 0; i < C::kCols / 64; ++i) _mm512_store_si512(bytes + 64 * i, c.q[i]);
    for (int i = 0; i < C::kCols / 16 && col + 16 * i < n; ++i) {
      const __m128i q = _mm_load_si128(reinterpret_cast<const __m128i*>(bytes + 16 * i));
      const __m512i wide = C::kSigned ? _mm512_cvtepi8_epi32(q) : _mm512_cvtepu8_epi32(q);
      const __m512i lane = _mm512_set1_epi32(i * 16 / C::kSub);
      store(out + col + 16 * i, fma(_mm512_cvtepi32_ps(wide), _mm512_permutexvar_ps(lane, c.scale),
                                    _mm512_permutexvar_ps(lane, c.low)));
    }
  }
}
