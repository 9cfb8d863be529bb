// Attention of many rows (tokens times heads) with bfloat16 products, by vdpbf16ps: the walk of
// attention.inl with pairs in place of numbers. Scores are in units of log2, so that e^x is one
// 2^x.
//
//   k[pair of dimensions][kKeys], v[pair of keys][v_pad], q[row][pairs], p[row][kKeys / 2]: words
//   of two numbers each

using Pairs = __m512bh;

constexpr int64_t kRoundedBlock = 128;  // rows that share what is unpacked of keys and values
constexpr int64_t kRoundedRows = 4;     // from here on; fewer read keys and values where they lie
constexpr float kLog2e = 1.442695041f, kLn2 = 0.693147181f;

struct RoundedScratch {
  uint32_t *k, *v, *q, *p, *stage;
  float *scores, *out, *totals, *top;
  int64_t k_words, v_pad;  // words of a row of k: a multiple of 16; v_pad: of 32
  int64_t bytes;
};

ASHLAR_INLINE RoundedScratch rounded_layout(const Attention& a, std::byte* scratch) {
  RoundedScratch s;
  s.k_words = round_up(a.k_dim, 32) / 2;
  s.v_pad = round_up(a.v_dim, 32);
  PartsOfMemory parts(scratch);
  parts.place(s.k, s.k_words * kKeys);
  parts.place(s.v, kKeys / 2 * s.v_pad);
  parts.place(s.q, kRoundedBlock * s.k_words);
  parts.place(s.p, kRoundedBlock * kKeys / 2);
  parts.place(s.stage, 16 * s.k_words);
  parts.place(s.scores, kRoundedBlock * kKeys);
  parts.place(s.out, kRoundedBlock * s.v_pad);
  parts.place(s.totals, kRoundedBlock * 16);
  parts.place(s.top, kRoundedBlock);
  s.bytes = round_up(parts.bytes(), 64);
  return s;
}

int64_t rounded_scratch(const Attention& a) { return rounded_layout(a, nullptr).bytes; }

/// Asks for a row of bytes that is read soon: memory would wait while a tile is computed. (8 heads
/// of 128, one token at 4,096: 7.3 -> 11.1 GB/s; fewer rows, attention.inl, are faster without.)
ASHLAR_INLINE void ask_for(const std::byte* row, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(row + i, 0, 2);
}
/// The value row of a position, and the key row a tile later, if there is one.
ASHLAR_INLINE void ask_for_values(const Attention& a, int64_t position) {
  const std::byte* v = state_row(a.v_pages, a.page_tokens, a.v_row_bytes, position);
  if (v == state_row(a.k_pages, a.page_tokens, a.k_row_bytes, position)) return;  // latent
  ask_for(v, a.v_row_bytes);
}
ASHLAR_INLINE void ask_for_keys(const Attention& a, int64_t position, int64_t end) {
  if (position + kKeys >= end) return;
  ask_for(state_row(a.k_pages, a.page_tokens, a.k_row_bytes, position + kKeys), a.k_row_bytes);
}

/// Thirty-two numbers of a state row as bfloat16; n of them are there, the others are 0.
ASHLAR_INLINE __m512i load_pairs(Format state, const std::byte* row, int64_t i, int64_t n) {
  if (state == Format::q8_0) {  // whole blocks of 32
    if (i >= n) return _mm512_setzero_si512();
    return reinterpret_cast<__m512i>(
        _mm512_cvtne2ps_pbh(LoadQ8::at(row, i + 16), LoadQ8::at(row, i)));
  }
  const std::byte* at = row + 2 * i;
  __m512i v;
  if (n - i >= 32) {
    v = _mm512_loadu_si512(at);
  } else {
    const auto there = static_cast<__mmask32>((uint64_t{1} << (n - i)) - 1);
    v = _mm512_maskz_loadu_epi16(there, at);
  }
  if (state == Format::bf16) return v;
  const F low = _mm512_cvtph_ps(_mm512_castsi512_si256(v));
  const F high = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(v, 1));
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}

/// Keys begin .. begin + n - 1; lanes of others are 0.
void load_keys_rounded(const Attention& a, const RoundedScratch& s, int64_t begin, int64_t n) {
  for (int64_t j0 = 0; j0 < kKeys; j0 += 16) {
    float* out = reinterpret_cast<float*>(s.k) + j0;
    if (j0 >= n) {
      for (int64_t w = 0; w < s.k_words; ++w) store(out + w * kKeys, zero());
      continue;
    }
    for (int64_t j = 0; j < 16; ++j) {
      uint32_t* row = s.stage + j * s.k_words;
      if (j0 + j < n) {
        const std::byte* k = state_row(a.k_pages, a.page_tokens, a.k_row_bytes, begin + j0 + j);
        ask_for_values(a, begin + j0 + j);
        for (int64_t w = 0; w < s.k_words; w += 16)
          _mm512_storeu_si512(row + w, load_pairs(a.state, k, 2 * w, a.k_dim));
      } else {
        __builtin_memset(row, 0, static_cast<size_t>(s.k_words) * 4);
      }
    }
    const auto* stage = reinterpret_cast<const float*>(s.stage);
    for (int64_t w = 0; w < s.k_words; w += 16)
      transpose(stage + w, s.k_words, out + w * kKeys, kKeys);
  }
}

/// Values of two keys side by side; those of keys that are not there are 0, for a weight of 0 does
/// not make 0 of what memory held before.
void load_values_rounded(const Attention& a, const RoundedScratch& s, int64_t begin, int64_t n,
                         int64_t end) {
  const __m512i side_by_side =
      _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                       21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  for (int64_t j = 0; j < kKeys; j += 2) {
    uint32_t* out = s.v + j / 2 * s.v_pad;
    if (j >= n) {
      __builtin_memset(out, 0, static_cast<size_t>(s.v_pad) * 4);
      continue;
    }
    ask_for_keys(a, begin + j, end);
    ask_for_keys(a, begin + j + 1, end);
    const std::byte* first = state_row(a.v_pages, a.page_tokens, a.v_row_bytes, begin + j);
    const std::byte* second =
        j + 1 < n ? state_row(a.v_pages, a.page_tokens, a.v_row_bytes, begin + j + 1) : nullptr;
    for (int64_t i = 0; i < s.v_pad; i += 32) {
      const __m512i x = load_pairs(a.state, first, i, a.v_dim);
      const __m512i y =
          second != nullptr ? load_pairs(a.state, second, i, a.v_dim) : _mm512_setzero_si512();
      _mm512_storeu_si512(out + i,
                          _mm512_permutexvar_epi16(side_by_side, _mm512_shuffle_i64x2(x, y, 0x44)));
      _mm512_storeu_si512(out + i + 16,
                          _mm512_permutexvar_epi16(side_by_side, _mm512_shuffle_i64x2(x, y, 0xee)));
    }
  }
}

/// acc[t][g] += sum over w < n of the pairs left[t][w] and right[w * right_step + 16 g ..].
template <int T, int G>
ASHLAR_INLINE void tile_pairs(const uint32_t* const* left, const uint32_t* right,
                              int64_t right_step, int64_t n, F (&acc)[T][G]) {
  const uint32_t* p[T];
  for (int t = 0; t < T; ++t) p[t] = left[t];
  for (int64_t w = 0; w < n; ++w, right += right_step) {
    Pairs r[G];
    for (int g = 0; g < G; ++g) r[g] = reinterpret_cast<Pairs>(_mm512_loadu_si512(right + 16 * g));
    for (int t = 0; t < T; ++t) {
      const auto v = reinterpret_cast<Pairs>(_mm512_set1_epi32(static_cast<int>(p[t][w])));
      for (int g = 0; g < G; ++g) acc[t][g] = _mm512_dpbf16_ps(acc[t][g], r[g], v);
    }
  }
}

template <int T>
void score_rounded(const RoundedScratch& s, int64_t row) {
  const uint32_t* q[T];
  for (int t = 0; t < T; ++t) q[t] = s.q + (row + t) * s.k_words;
  F acc[T][4];
  for (int t = 0; t < T; ++t)
    for (int g = 0; g < 4; ++g) acc[t][g] = zero();
  tile_pairs<T, 4>(q, s.k, kKeys, s.k_words, acc);
  for (int t = 0; t < T; ++t)
    for (int g = 0; g < 4; ++g) store(s.scores + (row + t) * kKeys + 16 * g, acc[t][g]);
}

template <int T, int G>
ASHLAR_INLINE void values_rounded(const RoundedScratch& s, int64_t row, int64_t i) {
  const uint32_t* p[T];
  F acc[T][G];
  for (int t = 0; t < T; ++t) {
    p[t] = s.p + (row + t) * kKeys / 2;
    for (int g = 0; g < G; ++g) acc[t][g] = load(s.out + (row + t) * s.v_pad + i + 16 * g);
  }
  tile_pairs<T, G>(p, s.v + i, s.v_pad, kKeys / 2, acc);
  for (int t = 0; t < T; ++t)
    for (int g = 0; g < G; ++g) store(s.out + (row + t) * s.v_pad + i + 16 * g, acc[t][g]);
}

/// 2^x for x <= 0, relative error below 4e-6: bfloat16 keeps 8 bits. 2^-infinity is 0.
ASHLAR_INLINE F exp2_rounded(F x) {
  x = max(set1(-200.0f), x);  // a NaN stays one
  const F k = round(x), r = sub(x, k);
  F p = set1(1.33335581e-3f);
  p = fma(p, r, set1(9.61812911e-3f));
  p = fma(p, r, set1(5.55041087e-2f));
  p = fma(p, r, set1(2.40226507e-1f));
  p = fma(p, r, set1(6.93147181e-1f));
  p = fma(p, r, set1(1.0f));
  return scale2(p, k);
}

/// As attention.inl's: scores to weights, which become pairs; sums are those of the rounded
/// weights.
ASHLAR_INLINE void soften_rounded(const Attention& a, const RoundedScratch& s, int64_t row,
                                  int64_t in_block, int64_t begin, int64_t n) {
  const int64_t t = token_of(a, row);
  const KeyRange seen = keys_of(a, a.first + t);
  const int64_t low = seen.begin > begin ? seen.begin - begin : 0;
  const int64_t high = at_most(seen.end - begin, n);
  auto* p = reinterpret_cast<__m256i*>(s.p + in_block * kKeys / 2);
  if (low >= high) {
    for (int g = 0; g < 4; ++g) _mm256_storeu_si256(p + g, _mm256_setzero_si256());
    return;
  }
  const float factor = a.score_factor ? a.score_factor[t] : 1.0f;
  const F before = set1(a.softcap > 0 ? a.scale / a.softcap : a.scale * factor * kLog2e);
  const F after = set1(a.softcap * factor * kLog2e);
  F v[4];
  for (int g = 0; g < 4; ++g) {
    v[g] = mul(load(s.scores + in_block * kKeys + 16 * g), before);
    if (a.softcap > 0) v[g] = mul(tanh(v[g]), after);
  }
  if (low > 0 || high < kKeys) {
    const uint64_t from = ~uint64_t{0} << low;
    const uint64_t to = high < 64 ? (uint64_t{1} << high) - 1 : ~uint64_t{0};
    for (int g = 0; g < 4; ++g)
      v[g] = _mm512_mask_blend_ps(static_cast<__mmask16>((from & to) >> (16 * g)),
                                  set1(-__builtin_inff()), v[g]);
  }
  const float highest = largest(max(max(v[0], v[1]), max(v[2], v[3])));
  if (highest > s.top[in_block]) {
    const F decay = exp2_rounded(set1(s.top[in_block] - highest));
    float* o = s.out + in_block * s.v_pad;
    for (int64_t i = 0; i < s.v_pad; i += 16) store(o + i, mul(load(o + i), decay));
    float* totals = s.totals + in_block * 16;
    store(totals, mul(load(totals), decay));
    s.top[in_block] = highest;
  }
  const F top = set1(s.top[in_block]);
  F total = load(s.totals + in_block * 16);
  for (int g = 0; g < 4; g += 2) {
    const F x = exp2_rounded(sub(v[g], top)), y = exp2_rounded(sub(v[g + 1], top));
    const auto pairs = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(y, x));
    _mm512_storeu_si512(p + g, pairs);
    total = add(total, add(widen_bf16(_mm512_castsi512_si256(pairs)),
                           widen_bf16(_mm512_extracti64x4_epi64(pairs, 1))));
  }
  store(s.totals + in_block * 16, total);
}

template <int T>
void rows_rounded(const Attention& a, const RoundedScratch& s, int64_t row, int64_t in_block,
                  int64_t begin, int64_t n) {
  score_rounded<T>(s, in_block);
  for (int t = 0; t < T; ++t) soften_rounded(a, s, row + t, in_block + t, begin, n);
  int64_t i = 0;
  for (; i + 64 <= s.v_pad; i += 64) values_rounded<T, 4>(s, in_block, i);
  if (i < s.v_pad) values_rounded<T, 2>(s, in_block, i);
}

/// Queries of a block as pairs, nothing summed up yet.
void begin_rounded(const Attention& a, const RoundedScratch& s, int64_t row, int64_t rows) {
  const bool sinks = a.sinks != nullptr && a.partials == nullptr;
  for (int64_t r = 0; r < rows; ++r) {
    const float* q = query(a, row + r);
    for (int64_t w = 0; w < s.k_words; w += 16) {
      const F low = 2 * w < a.k_dim ? get(q, 2 * w, a.k_dim) : zero();
      const F high = 2 * w + 16 < a.k_dim ? get(q, 2 * w + 16, a.k_dim) : zero();
      _mm512_storeu_si512(s.q + r * s.k_words + w,
                          reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
    }
    for (int64_t i = 0; i < s.v_pad; i += 16) store(s.out + r * s.v_pad + i, zero());
    store(s.totals + 16 * r, zero());
    if (sinks) s.totals[16 * r] = 1;
    s.top[r] = sinks ? a.sinks[(row + r) % a.heads] * kLog2e : -__builtin_inff();
  }
}

void end_rounded(const Attention& a, const RoundedScratch& s, int64_t row, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r)
    put_row(a, row + r, s.out + r * s.v_pad, s.top[r] * kLn2, sum(load(s.totals + 16 * r)));
}

void block_rounded(const Attention& a, const RoundedScratch& s, int64_t row, int64_t rows) {
  begin_rounded(a, s, row, rows);
  const int64_t begin = keys_of(a, a.first + token_of(a, row)).begin;
  const int64_t end = keys_of(a, a.first + token_of(a, row + rows - 1)).end;
  const int64_t tiles = (rows + kTile - 1) / kTile;
  for (int64_t j = begin; j < end; j += kKeys) {
    const int64_t n = at_most(kKeys, end - j);
    load_keys_rounded(a, s, j, n);
    load_values_rounded(a, s, j, n, end);
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const int64_t r = tile_begin(rows, tiles, tile), past = tile_begin(rows, tiles, tile + 1);
      const KeyRange first = keys_of(a, a.first + token_of(a, row + r));
      const KeyRange last = keys_of(a, a.first + token_of(a, row + past - 1));
      if (last.end <= j || first.begin >= j + n) continue;
      switch (past - r) {
        case 1:
          rows_rounded<1>(a, s, row + r, r, j, n);
          break;
        case 2:
          rows_rounded<2>(a, s, row + r, r, j, n);
          break;
        case 3:
          rows_rounded<3>(a, s, row + r, r, j, n);
          break;
        case 4:
          rows_rounded<4>(a, s, row + r, r, j, n);
          break;
        case 5:
          rows_rounded<5>(a, s, row + r, r, j, n);
          break;
        default:
          rows_rounded<6>(a, s, row + r, r, j, n);
          break;
      }
    }
  }
  end_rounded(a, s, row, rows);
}

void attention_rounded(const Attention& a, std::byte* scratch) {
  const RoundedScratch s = rounded_layout(a, scratch);
  const int64_t rows = a.tokens * a.heads;
  for (int64_t row = 0; row < rows; row += kRoundedBlock)
    block_rounded(a, s, row, at_most(kRoundedBlock, rows - row));
}
