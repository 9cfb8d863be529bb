// Attention over paged keys and values, with a running softmax, over the vector vocabulary of
// simd_*.inl.
//
// A "row" is one query head of one token: r = t heads + h. Rows are taken in blocks, keys in tiles
// of kKeys:
//   S = Q K^T   keys across lanes (K transposed into scratch once per block of rows and tile)
//   O = O e^(m - m') + e^(S - m') V   dimension of v across lanes
// For few rows neither pays: keys and values are read where they lie, once for up to four rows,
// with the dimension across lanes; kW dot products end in one vector of sums.

constexpr int64_t kKeys = 64;
constexpr int64_t kRowBlock = 128;  // for half as many, keys are transposed twice as often
constexpr int64_t kFewRows = kW == 16 ? 8 : 12;  // up to here, where they lie
static_assert(kKeys % kPanelRows == 0);

struct AttentionScratch {
  float* k;              // [k_dim][kKeys]
  float* v;              // [kKeys][v_pad]
  float* scores;         // [kRowBlock][kKeys]
  float* out;            // [kRowBlock][v_pad]
  float* stage;          // [kW][k_pad]
  float* transposed;     // [k_pad][kW]: queries
  int64_t k_pad, v_pad;  // rows padded to whole tiles, with zeros
  int64_t v_step;        // from a row of v to the next
  int64_t bytes;
};

ASHLAR_INLINE AttentionScratch attention_layout(const Attention& a, std::byte* scratch) {
  AttentionScratch s;
  s.k_pad = round_up(a.k_dim, kPanelRows);
  s.v_pad = round_up(a.v_dim, kPanelRows);
  s.v_step = s.v_pad;
  PartsOfMemory parts(scratch);
  parts.place(s.k, kKeys * s.k_pad);
  parts.place(s.v, kKeys * s.v_pad);
  parts.place(s.scores, kRowBlock * kKeys);
  parts.place(s.out, kRowBlock * s.v_pad);
  parts.place(s.stage, kW * s.k_pad);
  parts.place(s.transposed, kW * s.k_pad);
  s.bytes = parts.bytes();
  return s;
}

int64_t attention_scratch(const Attention& a) {
  return round_up(attention_layout(a, nullptr).bytes, 64);
}

/// A state row as n floats, then zeros to `padded`.
ASHLAR_INLINE void load_state(Format state, const std::byte* row, int64_t n, int64_t padded,
                              float* out) {
  switch (state) {
    case Format::f32:
      decode_floats<LoadF32>(row, n, out);
      break;
    case Format::f16:
      decode_floats<LoadF16>(row, n, out);
      break;
    case Format::q8_0:
      decode_floats<LoadQ8>(row, n, out);
      break;
    default:
      decode_floats<LoadBf16>(row, n, out);
      break;
  }
  for (int64_t i = n; i < padded; ++i) out[i] = 0;
}

/// The row of a position. (Dividing by the tokens of a page took most of the time where CPUs divide
/// 64 bits slowly: 2 heads of 128, one core of Cascade Lake, from the cache: 5.6 -> 16 GB/s.)
ASHLAR_INLINE const std::byte* state_row(const std::byte* const* pages, int64_t page_tokens,
                                         int64_t row_bytes, int64_t position) {
  const int shift = __builtin_ctzll(static_cast<uint64_t>(page_tokens));
  return pages[position >> shift] + (position & (page_tokens - 1)) * row_bytes;
}

/// The token of a row. (Where CPUs divide 64 bits slowly, 32 take a third as long.)
ASHLAR_INLINE int64_t token_of(const Attention& a, int64_t row) {
  return static_cast<uint32_t>(row) / static_cast<uint32_t>(a.heads);
}

ASHLAR_INLINE const float* query(const Attention& a, int64_t r) {
  const int64_t t = token_of(a, r);
  return a.q + t * a.q_token_stride + (r - t * a.heads) * a.q_head_stride;
}

/// What attention makes of a row: o / total, or its partial sums.
ASHLAR_INLINE void put_row(const Attention& a, int64_t row, const float* o, float top,
                           float total) {
  if (a.partials == nullptr) {
    const int64_t t = token_of(a, row);
    float* out = a.out + t * a.out_token_stride + (row - t * a.heads) * a.out_head_stride;
    return scale_row(o, 1.0f / total, out, a.v_dim);
  }
  float* out = a.partials + row * partial_floats(a.v_dim);
  __builtin_memcpy(out, o, static_cast<size_t>(a.v_dim) * 4);
  out[a.v_dim] = top;
  out[a.v_dim + 1] = total;
}

/// Scores to weights: scale, softcap, factor, mask, running maximum and sum; rescales what O holds.
ASHLAR_INLINE void soften(const Attention& a, const AttentionScratch& s, int64_t row,
                          int64_t in_block, int64_t begin, int64_t n, float* top, float* total) {
  const int64_t t = token_of(a, row);
  const KeyRange visible = keys_of(a, a.first + t);
  const int64_t low = visible.begin > begin ? visible.begin - begin : 0;
  const int64_t high = at_most(visible.end - begin, n);
  float* p = s.scores + in_block * kKeys;
  if (low >= high) {
    for (int64_t j = 0; j < kKeys; j += kW) store(p + j, zero());
    return;
  }
  const float factor = a.score_factor ? a.score_factor[t] : 1.0f;
  const F before = set1(a.softcap > 0 ? a.scale / a.softcap : a.scale * factor);
  const F after = set1(a.softcap * factor);
  const F nothing = set1(-__builtin_inff());
  alignas(64) float index[kW];
  for (int64_t i = 0; i < kW; ++i) index[i] = static_cast<float>(i);
  const F lane = load(index);
  F highest = nothing;
  for (int64_t j = 0; j < kKeys; j += kW) {
    F v = mul(load(p + j), before);
    if (a.softcap > 0) v = mul(tanh(v), after);
    if (j < low || j + kW > high) {
      const F at = add(lane, set1(static_cast<float>(j)));
      v = if_less(at, set1(static_cast<float>(low)), nothing, v);
      v = if_less(at, set1(static_cast<float>(high)), v, nothing);
    }
    store(p + j, v);
    highest = max(highest, v);
  }
  const float most = largest(highest), now = most > *top ? most : *top;
  F sums = zero();
  for (int64_t j = 0; j < kKeys; j += kW) {
    F v = sub(load(p + j), set1(now));
    v = if_less(nothing, load(p + j), exp(v), zero());
    store(p + j, v);
    sums = add(sums, v);
  }
  if (now > *top) {
    float* o = s.out + in_block * s.v_pad;
    alignas(64) float decay[kW];
    store(decay, exp(set1(*top - now)));  // 0 where nothing was seen before
    for (int64_t i = 0; i < s.v_pad; i += kW) store(o + i, mul(load(o + i), set1(decay[0])));
    *total *= decay[0];
    *top = now;
  }
  *total += sum(sums);
}

/// Rows between the one in use and those to ask memory for; 0 where asking does not pay. It pays on
/// Intel (2 heads of 128, one core of Emerald Rapids: 7.8 -> 10.4 GB/s) and on Zen 5 (a whole model
/// after 2,048 tokens: 39.7 -> 43.2 tokens/s), not on Zen 4 (27 -> 17 GB/s).
ASHLAR_INLINE int64_t rows_ahead(int64_t row_bytes) {
  return cpu_likes_rows_ahead() ? kBytesAhead / row_bytes : 0;
}

/// Asks for `count` state rows from `position` on, as far as there are any before `end`.
ASHLAR_INLINE void ask_for_rows(const std::byte* const* pages, int64_t page_tokens,
                                int64_t row_bytes, int64_t position, int64_t count, int64_t end) {
  for (int64_t j = position; j < at_most(position + count, end); ++j) {
    const std::byte* row = state_row(pages, page_tokens, row_bytes, j);
    for (int64_t i = 0; i < row_bytes; i += 64) __builtin_prefetch(row + i, 0, 3);
  }
}

//
#include "kernels/attention_few_rows.inl"
//

// ---- Many rows.

/// Keys [begin, begin + n) transposed: k[c][kKeys]; lanes past n are zero.
void load_keys_transposed(const Attention& a, const AttentionScratch& s, int64_t begin, int64_t n) {
  for (int64_t j0 = 0; j0 < kKeys; j0 += kW) {
    if (j0 >= n) {
      for (int64_t c = 0; c < a.k_dim; ++c) store(s.k + c * kKeys + j0, zero());
      continue;
    }
    for (int64_t j = 0; j < kW; ++j) {
      float* out = s.stage + j * s.k_pad;
      if (j0 + j < n) {
        const std::byte* row = state_row(a.k_pages, a.page_tokens, a.k_row_bytes, begin + j0 + j);
        load_state(a.state, row, a.k_dim, s.k_pad, out);
      } else {
        __builtin_memset(out, 0, static_cast<size_t>(s.k_pad) * 4);
      }
    }
    for (int64_t c = 0; c < s.k_pad; c += kW)
      transpose(s.stage + c, s.k_pad, s.k + c * kKeys + j0, kKeys);
  }
}

template <int T>
void score_tile(const Attention& a, const AttentionScratch& s, int64_t row, int64_t in_block,
                int64_t keys) {
  const float* q[T];
  for (int t = 0; t < T; ++t) q[t] = query(a, row + t);
  for (int64_t j = 0; j < keys; j += kPanelRows) {
    F acc[T][2];
    for (int t = 0; t < T; ++t) acc[t][0] = acc[t][1] = zero();
    tile_f32<T>(q, s.k + j, kKeys, a.k_dim, acc);
    for (int t = 0; t < T; ++t) {
      float* out = s.scores + (in_block + t) * kKeys + j;
      store(out, acc[t][0]);
      store(out + kW, acc[t][1]);
    }
  }
}

/// O += P V for T rows from `row` on, dimensions from .. to - 1.
template <int T>
void value_tile(const Attention& a, const AttentionScratch& s, int64_t row, int64_t in_block,
                int64_t begin, int64_t n, int64_t from, int64_t to) {
  // What any row of the tile sees: from its first token's begin to its last token's end.
  const int64_t first = keys_of(a, a.first + token_of(a, row)).begin - begin;
  const int64_t low = first > 0 ? first : 0;
  const int64_t high = at_most(n, keys_of(a, a.first + token_of(a, row + T - 1)).end - begin);
  const float* p[T];
  for (int t = 0; t < T; ++t) p[t] = s.scores + (in_block + t) * kKeys + low;
  for (int64_t i = from; i < to; i += kPanelRows) {
    F acc[T][2];
    for (int t = 0; t < T; ++t) {
      const float* o = s.out + (in_block + t) * s.v_pad + i;
      acc[t][0] = load(o);
      acc[t][1] = load(o + kW);
    }
    tile_f32<T>(p, s.v + low * s.v_step + i, s.v_step, high - low, acc);
    for (int t = 0; t < T; ++t) {
      float* o = s.out + (in_block + t) * s.v_pad + i;
      store(o, acc[t][0]);
      store(o + kW, acc[t][1]);
    }
  }
}

// Rows that fit into one vector's lanes meet keys as they lie: no key is transposed. (16 heads on
// a latent, one core of Emerald Rapids: 2.3 -> 2.9 GB/s of float16.)

/// Queries of at most kW rows side by side; lanes without one are zeros.
void turn_queries(const Attention& a, const AttentionScratch& s, int64_t row, int64_t rows) {
  for (int64_t r = 0; r < kW; ++r) {
    float* out = s.stage + r * s.k_pad;
    const int64_t n = r < rows ? a.k_dim : 0;
    if (n > 0) __builtin_memcpy(out, query(a, row + r), static_cast<size_t>(n) * 4);
    __builtin_memset(out + n, 0, static_cast<size_t>(s.k_pad - n) * 4);
  }
  for (int64_t c = 0; c < s.k_pad; c += kW)
    transpose(s.stage + c, s.k_pad, s.transposed + c * kW, kW);
}

/// Scores of kW keys from j on, those past n like the last. Half of them at a time, for sixteen
/// pointers do not fit into registers; even and odd dimensions apart, to hide the latency of fma.
void score_lanes(const AttentionScratch& s, int64_t j, int64_t n) {
  constexpr int64_t kHalf = kW / 2;
  alignas(64) float by_key[kW * kW];
  for (int64_t half = 0; half < kW; half += kHalf) {
    const float* k[kHalf];
    F acc[kHalf][2];
    for (int64_t i = 0; i < kHalf; ++i) {
      k[i] = s.k + at_most(j + half + i, n - 1) * s.k_pad;
      acc[i][0] = acc[i][1] = zero();
    }
    for (int64_t c = 0; c < s.k_pad; c += 2) {
      const F even = load(s.transposed + c * kW), odd = load(s.transposed + (c + 1) * kW);
      for (int64_t i = 0; i < kHalf; ++i) acc[i][0] = fma(set1(k[i][c]), even, acc[i][0]);
      for (int64_t i = 0; i < kHalf; ++i) acc[i][1] = fma(set1(k[i][c + 1]), odd, acc[i][1]);
    }
    for (int64_t i = 0; i < kHalf; ++i) store(by_key + (half + i) * kW, add(acc[i][0], acc[i][1]));
  }
  transpose(by_key, kW, s.scores + j, kKeys);
}

void load_rows(Format state, const std::byte* const* pages, int64_t page_tokens, int64_t row_bytes,
               int64_t begin, int64_t n, int64_t end, int64_t dim, int64_t padded, float* out) {
  const int64_t ahead = rows_ahead(row_bytes);
  for (int64_t i = 0; i < n; ++i) {
    if (ahead > 0) ask_for_rows(pages, page_tokens, row_bytes, begin + i + ahead, 1, end);
    load_state(state, state_row(pages, page_tokens, row_bytes, begin + i), dim, padded,
               out + i * padded);
  }
}

/// Keys as they lie, and the scores of all rows.
void score_all(const Attention& a, const AttentionScratch& s, int64_t begin, int64_t n,
               int64_t end) {
  for (int64_t j = 0; j < n; j += kW) {
    load_rows(a.state, a.k_pages, a.page_tokens, a.k_row_bytes, begin + j, at_most(kW, n - j), end,
              a.k_dim, s.k_pad, s.k + j * s.k_pad);
    score_lanes(s, j, n);
  }
}

template <int T>
void rows_of_tile(const Attention& a, const AttentionScratch& s, bool lanes, int64_t row,
                  int64_t in_block, int64_t begin, int64_t n, float* top, float* total) {
  if (!lanes) score_tile<T>(a, s, row, in_block, n);
  for (int t = 0; t < T; ++t)
    soften(a, s, row + t, in_block + t, begin, n, top + in_block + t, total + in_block + t);
  if (!lanes) value_tile<T>(a, s, row, in_block, begin, n, 0, s.v_pad);
}

/// Values in strips of their dimensions that stay in L1 while all rows go over them.
void values_of_lanes(const Attention& a, const AttentionScratch& s, int64_t row, int64_t rows,
                     int64_t begin, int64_t n) {
  for (int64_t i = 0; i < s.v_pad; i += kPanelRows) {
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) value_tile<4>(a, s, row + r, r, begin, n, i, i + kPanelRows);
    for (; r < rows; ++r) value_tile<1>(a, s, row + r, r, begin, n, i, i + kPanelRows);
  }
}

void many_rows(const Attention& a, AttentionScratch s, int64_t row, int64_t rows, int64_t begin,
               int64_t n, int64_t key_end, float* top, float* total) {
  const bool lanes = rows <= kW;
  if (lanes)
    score_all(a, s, begin, n, key_end);
  else
    load_keys_transposed(a, s, begin, n);
  const bool latent = state_row(a.v_pages, a.page_tokens, 0, begin) ==
                      state_row(a.k_pages, a.page_tokens, 0, begin);
  if (lanes && latent && a.v_row_bytes == a.k_row_bytes) {
    s.v = s.k;  // latent: the value is the front of the key's row
    s.v_step = s.k_pad;
  } else {
    load_rows(a.state, a.v_pages, a.page_tokens, a.v_row_bytes, begin, n, key_end, a.v_dim, s.v_pad,
              s.v);
  }
  const int64_t tiles = (rows + kTile - 1) / kTile;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    const int64_t r = tile_begin(rows, tiles, tile), end = tile_begin(rows, tiles, tile + 1);
    const KeyRange first = keys_of(a, a.first + token_of(a, row + r));
    const KeyRange last = keys_of(a, a.first + token_of(a, row + end - 1));
    // The values of lanes are not added by tile: rows that see none of these keys weigh them with 0.
    if (!lanes && (last.end <= begin || first.begin >= begin + n)) continue;
    switch (end - r) {
      case 1:
        rows_of_tile<1>(a, s, lanes, row + r, r, begin, n, top, total);
        break;
      case 2:
        rows_of_tile<2>(a, s, lanes, row + r, r, begin, n, top, total);
        break;
      case 3:
        rows_of_tile<3>(a, s, lanes, row + r, r, begin, n, top, total);
        break;
      case 4:
        rows_of_tile<4>(a, s, lanes, row + r, r, begin, n, top, total);
        break;
      case 5:
        rows_of_tile<5>(a, s, lanes, row + r, r, begin, n, top, total);
        break;
      default:
        rows_of_tile<6>(a, s, lanes, row + r, r, begin, n, top, total);
        break;
    }
  }
  if (lanes) values_of_lanes(a, s, row, rows, begin, n);
}

void attention_block(const Attention& a, const AttentionScratch& s, int64_t row, int64_t rows) {
  float top[kRowBlock], total[kRowBlock];
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t h = (row + r) % a.heads;
    const bool sink = a.sinks != nullptr && a.partials == nullptr;
    top[r] = sink ? a.sinks[h] : -__builtin_inff();
    total[r] = sink ? 1.0f : 0.0f;
    for (int64_t i = 0; i < s.v_pad; i += kW) store(s.out + r * s.v_pad + i, zero());
  }
  // The first token of the block sees the earliest key, the last token the latest.
  const int64_t begin = keys_of(a, a.first + token_of(a, row)).begin;
  const int64_t end = keys_of(a, a.first + token_of(a, row + rows - 1)).end;
  if (rows > kFewRows && rows <= kW) turn_queries(a, s, row, rows);
  for (int64_t j = begin; j < end; j += kKeys) {
    const int64_t n = at_most(kKeys, end - j);
    if (rows > kFewRows) {
      many_rows(a, s, row, rows, j, n, end, top, total);
    } else if (a.state == Format::f32) {
      few_rows<LoadF32>(a, s, row, rows, j, n, top, total);
    } else if (a.state == Format::f16) {
      few_rows<LoadF16>(a, s, row, rows, j, n, top, total);
    } else if (a.state == Format::q8_0) {
      few_rows<LoadQ8>(a, s, row, rows, j, n, top, total);
    } else {
      few_rows<LoadBf16>(a, s, row, rows, j, n, top, total);
    }
  }
  for (int64_t r = 0; r < rows; ++r) put_row(a, row + r, s.out + r * s.v_pad, top[r], total[r]);
}

void attention(const Attention& a, std::byte* scratch) {
  const AttentionScratch s = attention_layout(a, scratch);
  const int64_t rows = a.tokens * a.heads;
  for (int64_t row = 0; row < rows; row += kRowBlock)
    attention_block(a, s, row, at_most(kRowBlock, rows - row));
}
