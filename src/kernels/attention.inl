// Attention over paged keys and values, with a running softmax, over the vector vocabulary of
// simd_*.inl.
//
// A "row" is one query head of one token: r = t heads + h. Rows are taken in blocks, keys in tiles
// of kKeys:
//   S = Q K^T   keys across lanes (K transposed into scratch once per block of rows and tile), or,
//   for few rows,
//               one dot product per key with the dimension across lanes
//   O = O e^(m - m') + e^(S - m') V   dimension of v across lanes, V as it lies

constexpr int64_t kKeys = 64;
constexpr int64_t kRowBlock = 64;
constexpr int64_t kFewRows = 12;  // up to here transposing the keys costs more than it saves
static_assert(kKeys % kPanelRows == 0);

struct AttentionScratch {
  float* k;              // [k_dim][kKeys] transposed, or [kKeys][k_dim] rows for few query rows
  float* v;              // [kKeys][v_pad]
  float* scores;         // [kRowBlock][kKeys]
  float* out;            // [kRowBlock][v_pad]
  float* stage;          // [kW][k_pad]
  int64_t k_pad, v_pad;  // rows padded to whole tiles, with zeros
  int64_t bytes;
};

ASHLAR_INLINE AttentionScratch attention_layout(const Attention& a, std::byte* scratch) {
  AttentionScratch s;
  s.k_pad = round_up(a.k_dim, kPanelRows);
  s.v_pad = round_up(a.v_dim, kPanelRows);
  s.k = reinterpret_cast<float*>(scratch);
  s.v = s.k + kKeys * s.k_pad;
  s.scores = s.v + kKeys * s.v_pad;
  s.out = s.scores + kRowBlock * kKeys;
  s.stage = s.out + kRowBlock * s.v_pad;
  s.bytes = (kKeys * (s.k_pad + s.v_pad + kRowBlock) + kRowBlock * s.v_pad + kW * s.k_pad) * 4;
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
    default:
      decode_floats<LoadBf16>(row, n, out);
      break;
  }
  for (int64_t i = n; i < padded; ++i) out[i] = 0;
}

ASHLAR_INLINE const std::byte* state_row(const std::byte* const* pages, int64_t page_tokens,
                                         int64_t row_bytes, int64_t position) {
  return pages[position / page_tokens] + position % page_tokens * row_bytes;
}

ASHLAR_INLINE const float* query(const Attention& a, int64_t r) {
  return a.q + r / a.heads * a.q_token_stride + r % a.heads * a.q_head_stride;
}

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

/// Scores of up to four keys against one query: the queries stay in L1, the keys are read once per
/// query.
template <class Load, int N>
ASHLAR_INLINE void score_keys(const float* q, const std::byte* const* k, int64_t n, float* out) {
  F acc[N];
  for (int j = 0; j < N; ++j) acc[j] = zero();
  int64_t i = 0;
  for (; i + kW <= n; i += kW) {
    const F v = load(q + i);
    for (int j = 0; j < N; ++j) acc[j] = fma(v, Load::at(k[j], i), acc[j]);
  }
  if (i < n) {
    const F v = load_n(q + i, n - i);
    for (int j = 0; j < N; ++j) acc[j] = fma(v, Load::at_n(k[j], i, n - i), acc[j]);
  }
  for (int j = 0; j < N; ++j) out[j] = sum(acc[j]);
}

template <class Load>
void score_few(const Attention& a, const AttentionScratch& s, int64_t row, int64_t rows,
               int64_t begin, int64_t n) {
  for (int64_t j = 0; j < n; j += 4) {
    const std::byte* k[4];
    const int64_t count = at_most(4, n - j);
    for (int64_t i = 0; i < 4; ++i)
      k[i] = state_row(a.k_pages, a.page_tokens, a.k_row_bytes, begin + j + (i < count ? i : 0));
    for (int64_t r = 0; r < rows; ++r) {
      float* out = s.scores + r * kKeys + j;  // kKeys is a multiple of 4: room for all four
      score_keys<Load, 4>(query(a, row + r), k, a.k_dim, out);
    }
  }
}

/// Scores to weights: scale, softcap, factor, mask, running maximum and sum; rescales what O holds.
ASHLAR_INLINE void soften(const Attention& a, const AttentionScratch& s, int64_t row,
                          int64_t in_block, int64_t begin, int64_t n, float* top, float* total) {
  const int64_t t = row / a.heads, position = a.first + t;
  int64_t low = first_visible(a, position) - begin, high = position + 1 - begin;
  low = low < 0 ? 0 : low;
  high = at_most(high, n);
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
  const float seen = largest(highest), now = seen > *top ? seen : *top;
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

/// O += P V for T rows, keys [low, high) of the tile.
template <int T>
void value_tile(const AttentionScratch& s, int64_t in_block, int64_t low, int64_t high) {
  const float* p[T];
  for (int t = 0; t < T; ++t) p[t] = s.scores + (in_block + t) * kKeys + low;
  for (int64_t i = 0; i < s.v_pad; i += kPanelRows) {
    F acc[T][2];
    for (int t = 0; t < T; ++t) {
      const float* o = s.out + (in_block + t) * s.v_pad + i;
      acc[t][0] = load(o);
      acc[t][1] = load(o + kW);
    }
    tile_f32<T>(p, s.v + low * s.v_pad + i, s.v_pad, high - low, acc);
    for (int t = 0; t < T; ++t) {
      float* o = s.out + (in_block + t) * s.v_pad + i;
      store(o, acc[t][0]);
      store(o + kW, acc[t][1]);
    }
  }
}

void attention_block(const Attention& a, const AttentionScratch& s, int64_t row, int64_t rows) {
  float top[kRowBlock], total[kRowBlock];
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t h = (row + r) % a.heads;
    top[r] = a.sinks ? a.sinks[h] : -__builtin_inff();
    total[r] = a.sinks ? 1.0f : 0.0f;
    for (int64_t i = 0; i < s.v_pad; i += kW) store(s.out + r * s.v_pad + i, zero());
  }
  const bool few = rows <= kFewRows;
  // The first token of the block sees the earliest key, the last token the latest.
  const int64_t begin = first_visible(a, a.first + row / a.heads);
  const int64_t end = a.first + (row + rows - 1) / a.heads + 1;
  const int64_t tiles = (rows + kTile - 1) / kTile;
  for (int64_t j = begin; j < end; j += kKeys) {
    const int64_t n = at_most(kKeys, end - j);
    if (few) {
      switch (a.state) {
        case Format::f32:
          score_few<LoadF32>(a, s, row, rows, j, n);
          break;
        case Format::f16:
          score_few<LoadF16>(a, s, row, rows, j, n);
          break;
        default:
          score_few<LoadBf16>(a, s, row, rows, j, n);
          break;
      }
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t i = n; i < kKeys; ++i) s.scores[r * kKeys + i] = 0;
    } else {
      load_keys_transposed(a, s, j, n);
    }
    for (int64_t i = 0; i < n; ++i)
      load_state(a.state, state_row(a.v_pages, a.page_tokens, a.v_row_bytes, j + i), a.v_dim,
                 s.v_pad, s.v + i * s.v_pad);
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const int64_t r0 = tile_begin(rows, tiles, tile), r1 = tile_begin(rows, tiles, tile + 1);
      if (!few) {
        switch (r1 - r0) {
          case 1:
            score_tile<1>(a, s, row + r0, r0, n);
            break;
          case 2:
            score_tile<2>(a, s, row + r0, r0, n);
            break;
          case 3:
            score_tile<3>(a, s, row + r0, r0, n);
            break;
          case 4:
            score_tile<4>(a, s, row + r0, r0, n);
            break;
          case 5:
            score_tile<5>(a, s, row + r0, r0, n);
            break;
          default:
            score_tile<6>(a, s, row + r0, r0, n);
            break;
        }
      }
      for (int64_t r = r0; r < r1; ++r) soften(a, s, row + r, r, j, n, &top[r], &total[r]);
      // What any row of the tile sees: from its first token's begin to its last token's end.
      const int64_t low = first_visible(a, a.first + (row + r0) / a.heads) - j;
      const int64_t high = at_most(n, a.first + (row + r1 - 1) / a.heads + 1 - j);
      const int64_t from = low > 0 ? low : 0;
      if (from >= high) continue;
      switch (r1 - r0) {
        case 1:
          value_tile<1>(s, r0, from, high);
          break;
        case 2:
          value_tile<2>(s, r0, from, high);
          break;
        case 3:
          value_tile<3>(s, r0, from, high);
          break;
        case 4:
          value_tile<4>(s, r0, from, high);
          break;
        case 5:
          value_tile<5>(s, r0, from, high);
          break;
        default:
          value_tile<6>(s, r0, from, high);
          break;
      }
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    float* out =
        a.out + (row + r) / a.heads * a.out_token_stride + (row + r) % a.heads * a.out_head_stride;
    scale_row(s.out + r * s.v_pad, 1.0f / total[r], out, a.v_dim);
  }
}

void attention(const Attention& a, std::byte* scratch) {
  const AttentionScratch s = attention_layout(a, scratch);
  const int64_t rows = a.tokens * a.heads;
  for (int64_t row = 0; row < rows; row += kRowBlock)
    attention_block(a, s, row, at_most(kRowBlock, rows - row));
}
