// Attention of many rows by tiles: the walk and the layouts of attention_bf16.inl, where tiles take
// the place of vdpbf16ps. Tiles of 16 rows of queries meet 16 keys at a time, weights of 32 keys
// meet 16 dimensions of values.

constexpr int64_t kTileRows = 16;

/// As add_step, of tiles that lie within matrices of so many bytes to a row.
template <int M>
ASHLAR_INLINE void add_strided(const std::byte* left, int64_t left_row, const std::byte* right,
                               int64_t right_row) {
  load_tile<4>(left, left_row);
  load_tile<6>(right, right_row);
  add_tiles<0, 4, 6>();
  if (M == 2) {
    load_tile<5>(left + kTileRows * left_row, left_row);
    add_tiles<2, 5, 6>();
  }
  load_tile<7>(right + 64, right_row);
  add_tiles<1, 4, 7>();
  if (M == 2) add_tiles<3, 5, 7>();
}

/// Tiles 0 .. 3 from or to a matrix of floats.
template <int M>
ASHLAR_INLINE void load_floats(const float* from, int64_t row) {
  load_tile<0>(from, row * 4);
  load_tile<1>(from + 16, row * 4);
  if (M == 2) load_tile<2>(from + kTileRows * row, row * 4);
  if (M == 2) load_tile<3>(from + kTileRows * row + 16, row * 4);
}
template <int M>
ASHLAR_INLINE void store_floats(float* to, int64_t row) {
  store_tile<0>(to, row * 4);
  store_tile<1>(to + 16, row * 4);
  if (M == 2) store_tile<2>(to + kTileRows * row, row * 4);
  if (M == 2) store_tile<3>(to + kTileRows * row + 16, row * 4);
}

/// Scores of M tiles of rows from `row` of the block on.
template <int M>
void score_tiles(const RoundedScratch& s, int64_t row) {
  const auto* q = reinterpret_cast<const std::byte*>(s.q + row * s.k_words);
  for (int64_t key = 0; key < kKeys; key += 32) {
    const auto* k = reinterpret_cast<const std::byte*>(s.k + key);
    zero_products<M, 2>();
    for (int64_t w = 0; w < s.k_words; w += 16)
      add_strided<M>(q + 4 * w, s.k_words * 4, k + 4 * w * kKeys, kKeys * 4);
    store_floats<M>(s.scores + row * kKeys + key, kKeys);
  }
}

template <int M>
void value_tiles(const RoundedScratch& s, int64_t row) {
  const auto* p = reinterpret_cast<const std::byte*>(s.p + row * kKeys / 2);
  for (int64_t i = 0; i < s.v_pad; i += 32) {
    float* out = s.out + row * s.v_pad + i;
    load_floats<M>(out, s.v_pad);
    for (int64_t w = 0; w < kKeys / 2; w += 16)
      add_strided<M>(p + 4 * w, kKeys / 2 * 4, reinterpret_cast<std::byte*>(s.v + w * s.v_pad + i),
                     s.v_pad * 4);
    store_floats<M>(out, s.v_pad);
  }
}

/// Rows of a block that a pair of tiles takes, as far as they see any of the keys.
struct RowPair {
  int64_t begin, rows;
  bool sees;
};
ASHLAR_INLINE RowPair pair_at(const Attention& a, int64_t row, int64_t rows, int64_t begin,
                              int64_t key, int64_t keys) {
  const int64_t n = at_most(2 * kTileRows, rows - begin);
  if (n <= 0) return {begin, 0, false};
  const KeyRange first = keys_of(a, a.first + token_of(a, row + begin));
  const KeyRange last = keys_of(a, a.first + token_of(a, row + begin + n - 1));
  return {begin, n, last.end > key && first.begin < key + keys};
}

ASHLAR_INLINE void score_pair(const RoundedScratch& s, const RowPair& r) {
  if (!r.sees) return;
  if (r.rows > kTileRows)
    score_tiles<2>(s, r.begin);
  else
    score_tiles<1>(s, r.begin);
}

/// Scores of the next rows are asked for before those of these are softened, so that tiles and
/// vectors work at the same time.
void block_tiles(const Attention& a, const RoundedScratch& s, int64_t row, int64_t rows) {
  begin_rounded(a, s, row, rows);
  const int64_t begin = keys_of(a, a.first + token_of(a, row)).begin;
  const int64_t end = keys_of(a, a.first + token_of(a, row + rows - 1)).end;
  for (int64_t j = begin; j < end; j += kKeys) {
    const int64_t n = at_most(kKeys, end - j);
    load_keys_rounded(a, s, j, n);
    load_values_rounded(a, s, j, n, end);
    RowPair now = pair_at(a, row, rows, 0, j, n);
    score_pair(s, now);
    while (now.rows > 0) {
      const RowPair next = pair_at(a, row, rows, now.begin + now.rows, j, n);
      score_pair(s, next);
      if (now.sees) {
        for (int64_t r = now.begin; r < now.begin + now.rows; ++r)
          soften_rounded(a, s, row + r, r, j, n);
        if (now.rows > kTileRows)
          value_tiles<2>(s, now.begin);
        else
          value_tiles<1>(s, now.begin);
      }
      now = next;
    }
  }
  end_rounded(a, s, row, rows);
}

void attention_tiles(const Attention& a, std::byte* scratch) {
  const RoundedScratch s = rounded_layout(a, scratch);
  const int64_t rows = a.tokens * a.heads;
  begin_tiles();
  for (int64_t row = 0; row < rows; row += kRoundedBlock)
    block_tiles(a, s, row, at_most(kRoundedBlock, rows - row));
  end_tiles();
}
