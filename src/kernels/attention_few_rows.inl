// Attention of few rows: keys and values are read where they lie, once for up to four rows, with the
// dimension across lanes. A part of attention.inl.

/// Keys that H rows take at a time, so that kW sums are made at once.
template <int H>
constexpr int kKeysOf = static_cast<int>(kW) / (H == 3 ? 4 : H);

/// Scores of kKeysOf<H> keys against H queries: out[h][kKeys], k's of keys that are not there
/// repeat another.
template <class Load, int H>
ASHLAR_INLINE void score_keys(const float* const* q, const std::byte* const* k, int64_t n,
                              float* const* out) {
  constexpr int kN = kKeysOf<H>;
  F acc[kW];
  for (int64_t i = 0; i < kW; ++i) acc[i] = zero();
  int64_t i = 0;
  for (; i + kW <= n; i += kW) {
    F query[H];
    for (int h = 0; h < H; ++h) query[h] = load(q[h] + i);
    for (int j = 0; j < kN; ++j) {
      const F key = Load::at(k[j], i);
      for (int h = 0; h < H; ++h) acc[h * kN + j] = fma(query[h], key, acc[h * kN + j]);
    }
  }
  if (i < n) {
    F query[H];
    for (int h = 0; h < H; ++h) query[h] = load_n(q[h] + i, n - i);
    for (int j = 0; j < kN; ++j) {
      const F key = Load::at_n(k[j], i, n - i);
      for (int h = 0; h < H; ++h) acc[h * kN + j] = fma(query[h], key, acc[h * kN + j]);
    }
  }
  alignas(64) float sums[kW];
  store(sums, sum_each(acc));
  for (int h = 0; h < H; ++h) __builtin_memcpy(out[h], sums + h * kN, kN * 4);
}

template <class Load, int H>
void score_rows(const Attention& a, const AttentionScratch& s, int64_t row, int64_t in_block,
                int64_t begin, int64_t n) {
  constexpr int kN = kKeysOf<H>;
  const float* q[H];
  for (int h = 0; h < H; ++h) q[h] = query(a, row + h);
  const int64_t ahead = in_block == 0 ? rows_ahead(a.k_row_bytes) : 0;
  const int64_t end = keys_of(a, a.first + a.tokens - 1).end;
  for (int64_t j = 0; j < n; j += kN) {
    const std::byte* k[kN];
    if (ahead > 0)
      ask_for_rows(a.k_pages, a.page_tokens, a.k_row_bytes, begin + j + ahead, kN, end);
    for (int i = 0; i < kN; ++i)
      k[i] = state_row(a.k_pages, a.page_tokens, a.k_row_bytes, begin + at_most(j + i, n - 1));
    float* out[H];  // kKeys is a multiple of kN: room for all of them
    for (int h = 0; h < H; ++h) out[h] = s.scores + (in_block + h) * kKeys + j;
    score_keys<Load, H>(q, k, a.k_dim, out);
  }
}

/// Vectors of an output row that are summed up in registers at once.
template <int H>
constexpr int kValuesOf = kW == 16 ? (H <= 2 ? 8 : 4) : 8 / (H == 3 ? 4 : H);

/// O += P V for H rows, dimensions i .. i + C kW (the last vector may be cut off), keys low .. high
/// - 1 of the tile.
template <class Load, int H, int C>
ASHLAR_INLINE void add_values(const Attention& a, const AttentionScratch& s, int64_t in_block,
                              int64_t i, int64_t begin, int64_t low, int64_t high, bool whole) {
  const int64_t end = keys_of(a, a.first + a.tokens - 1).end;
  F acc[H][C];
  for (int h = 0; h < H; ++h)
    for (int c = 0; c < C; ++c) acc[h][c] = load(s.out + (in_block + h) * s.v_pad + i + c * kW);
  const int64_t ahead = i == 0 && in_block == 0 ? rows_ahead(a.v_row_bytes) : 0;
  for (int64_t j = low; j < high; ++j) {
    const std::byte* v = state_row(a.v_pages, a.page_tokens, a.v_row_bytes, begin + j);
    if (ahead > 0) ask_for_rows(a.v_pages, a.page_tokens, a.v_row_bytes, begin + j + ahead, 1, end);
    F p[H];
    for (int h = 0; h < H; ++h) p[h] = set1(s.scores[(in_block + h) * kKeys + j]);
    for (int c = 0; c < C; ++c) {
      const F value = whole ? Load::at(v, i + c * kW) : Load::at_n(v, i + c * kW, a.v_dim - i);
      for (int h = 0; h < H; ++h) acc[h][c] = fma(p[h], value, acc[h][c]);
    }
  }
  for (int h = 0; h < H; ++h)
    for (int c = 0; c < C; ++c) store(s.out + (in_block + h) * s.v_pad + i + c * kW, acc[h][c]);
}

/// Bytes of values that are gone over once for each part of their dimensions: half of L1.
constexpr int64_t kValueBytes = 16 << 10;

template <class Load, int H>
void value_rows(const Attention& a, const AttentionScratch& s, int64_t in_block, int64_t begin,
                int64_t low, int64_t high) {
  constexpr int kC = kValuesOf<H>;
  const int64_t each = kValueBytes / a.v_row_bytes < 4 ? 4 : kValueBytes / a.v_row_bytes;
  for (; low < high; low += each) {
    const int64_t to = at_most(low + each, high);
    int64_t i = 0;
    for (; i + kC * kW <= a.v_dim; i += kC * kW)
      add_values<Load, H, kC>(a, s, in_block, i, begin, low, to, true);
    for (; i + kW <= a.v_dim; i += kW)
      add_values<Load, H, 1>(a, s, in_block, i, begin, low, to, true);
    if (i < a.v_dim) add_values<Load, H, 1>(a, s, in_block, i, begin, low, to, false);
  }
}

template <class Load, int H>
void few_rows_of(const Attention& a, const AttentionScratch& s, int64_t row, int64_t in_block,
                 int64_t begin, int64_t n, float* top, float* total) {
  score_rows<Load, H>(a, s, row, in_block, begin, n);
  int64_t low = n, high = 0;  // what any of the rows sees
  for (int h = 0; h < H; ++h) {
    soften(a, s, row + h, in_block + h, begin, n, top + in_block + h, total + in_block + h);
    const KeyRange seen = keys_of(a, a.first + token_of(a, row + h));
    if (seen.begin - begin < low) low = seen.begin - begin;
    if (seen.end - begin > high) high = seen.end - begin;
  }
  value_rows<Load, H>(a, s, in_block, begin, low < 0 ? 0 : low, at_most(high, n));
}

template <class Load>
void few_rows(const Attention& a, const AttentionScratch& s, int64_t row, int64_t rows,
              int64_t begin, int64_t n, float* top, float* total) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) few_rows_of<Load, 4>(a, s, row + r, r, begin, n, top, total);
  switch (rows - r) {
    case 1:
      return few_rows_of<Load, 1>(a, s, row + r, r, begin, n, top, total);
    case 2:
      return few_rows_of<Load, 2>(a, s, row + r, r, begin, n, top, total);
    case 3:
      return few_rows_of<Load, 3>(a, s, row + r, r, begin, n, top, total);
    default:
      return;
  }
}
