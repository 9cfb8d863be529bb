// Matrix products in float32 over the vector vocabulary: row dots for few tokens, panels for many.
//
// A panel is kPanelRows weight rows of at most kPanelCols columns, decoded to float32 and
// transposed so that a column's rows lie side by side: panel[c][2 kW]. It stays in L2 and serves
// every token of the call.

constexpr int64_t kPanelRows = 2 * kW;
constexpr int64_t kPanelCols = 1024;
constexpr int64_t kTile = 6;         // tokens per pass: 2 x 6 accumulators
constexpr int64_t kStageCols = 256;  // columns decoded at a time; a multiple of every block length
constexpr int64_t kStageStride = kStageCols + 16;

ASHLAR_INLINE int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }
ASHLAR_INLINE const std::byte* token_row(const MatMul& m, int64_t t) {
  return m.x + (m.x_rows ? m.x_rows[t] : t) * m.x_row_bytes;
}

// ---- Few tokens: each weight row is read once, for T tokens.

/// The order in which rows are read: one after the other, or in turn from the first and the last
/// half of them.
struct RowOrder {
  int64_t begin, end, last_half;
  ASHLAR_INLINE explicit RowOrder(const MatMul& m)
      : begin(m.row_begin), end(m.row_end), last_half(0) {
    if (cpu_likes_two_streams()) last_half = begin + (end - begin + 1) / 2;
  }
  ASHLAR_INLINE int64_t at(int64_t i) const {
    if (last_half == 0) return begin + i;
    return i % 2 == 0 ? begin + i / 2 : last_half + i / 2;
  }
};

/// Bytes ahead of what is being multiplied that memory is asked for: across pages, where hardware
/// stops. (Decode on Zen 5 with 1,024 and 4,096: Qwen3 0.6B q8_0 63.3 -> 66.3 tokens/s, experts in
/// q4_k 227 -> 244.)
constexpr int64_t kBytesAhead = 4096;

struct LoadF32 {
  static constexpr int64_t kBytes = 4;  // of a number
  static ASHLAR_INLINE F at(const std::byte* row, int64_t i) {
    return load(reinterpret_cast<const float*>(row) + i);
  }
  static ASHLAR_INLINE F at_n(const std::byte* row, int64_t i, int64_t n) {
    return load_n(reinterpret_cast<const float*>(row) + i, n);
  }
};
struct LoadF16 {
  static constexpr int64_t kBytes = 2;  // of a number
  static ASHLAR_INLINE F at(const std::byte* row, int64_t i) { return load_f16(row + 2 * i); }
  static ASHLAR_INLINE F at_n(const std::byte* row, int64_t i, int64_t n) {
    return load_f16_n(row + 2 * i, n);
  }
};
struct LoadBf16 {
  static constexpr int64_t kBytes = 2;  // of a number
  static ASHLAR_INLINE F at(const std::byte* row, int64_t i) { return load_bf16(row + 2 * i); }
  static ASHLAR_INLINE F at_n(const std::byte* row, int64_t i, int64_t n) {
    return load_bf16_n(row + 2 * i, n);
  }
};
struct LoadFp8 {  // rows are whole blocks of 128, so there is no remainder
  static constexpr int64_t kBytes = 1;
  static ASHLAR_INLINE F at(const std::byte* row, int64_t i) {
    const std::byte* block = row + i / 128 * 132;
    float d;
    __builtin_memcpy(&d, block, 4);
    return mul(load_e4m3(block + 4 + i % 128), set1(d));
  }
  static ASHLAR_INLINE F at_n(const std::byte* row, int64_t i, int64_t) { return at(row, i); }
};

struct LoadQ8 {  // q8_0; rows are whole blocks of 32
  static ASHLAR_INLINE F at(const std::byte* row, int64_t i) {
    const std::byte* block = row + i / 32 * 34;
    return mul(load_int8(block + 2 + i % 32), load_half(block));
  }
  static ASHLAR_INLINE F at_n(const std::byte* row, int64_t i, int64_t) { return at(row, i); }
};

template <class Load, int T>
void dot_tokens(const MatMul& m, int64_t token) {
  constexpr int kChains = T == 1   ? 4
                          : T == 2 ? 2
                                   : 1;  // independent sums, to hide the latency of fma
  const float* x[T];
  for (int t = 0; t < T; ++t) x[t] = reinterpret_cast<const float*>(token_row(m, token + t));
  const RowOrder order(m);
  const int64_t ahead = kBytesAhead;
  for (int64_t n = 0; n < m.row_end - m.row_begin; ++n) {
    const int64_t r = order.at(n);
    const std::byte* row = m.w + r * m.w_row_bytes;
    F acc[T][kChains];
    for (int t = 0; t < T; ++t)
      for (int j = 0; j < kChains; ++j) acc[t][j] = zero();
    int64_t i = 0;
    for (; i + kChains * kW <= m.cols; i += kChains * kW) {
      for (int64_t b = 0; b < kChains * kW * Load::kBytes; b += 64)
        __builtin_prefetch(row + ahead + i * Load::kBytes + b, 0, 3);
      for (int j = 0; j < kChains; ++j) {
        const F w = Load::at(row, i + j * kW);
        for (int t = 0; t < T; ++t) acc[t][j] = fma(w, load(x[t] + i + j * kW), acc[t][j]);
      }
    }
    for (; i + kW <= m.cols; i += kW) {
      const F w = Load::at(row, i);
      for (int t = 0; t < T; ++t) acc[t][0] = fma(w, load(x[t] + i), acc[t][0]);
    }
    if (i < m.cols) {
      const F w = Load::at_n(row, i, m.cols - i);
      for (int t = 0; t < T; ++t) acc[t][0] = fma(w, load_n(x[t] + i, m.cols - i), acc[t][0]);
    }
    for (int t = 0; t < T; ++t) {
      F s = acc[t][0];
      for (int j = 1; j < kChains; ++j) s = add(s, acc[t][j]);
      m.y[(token + t) * m.y_stride + r] = sum(s) + (m.bias ? m.bias[r] : 0.0f);
    }
  }
}

template <class Load>
void dot_all(const MatMul& m) {
  int64_t t = 0;
  for (; t + 4 <= m.tokens; t += 4) dot_tokens<Load, 4>(m, t);
  switch (m.tokens - t) {
    case 1:
      dot_tokens<Load, 1>(m, t);
      break;
    case 2:
      dot_tokens<Load, 2>(m, t);
      break;
    case 3:
      dot_tokens<Load, 3>(m, t);
      break;
    default:
      break;
  }
}

// ---- Many tokens.

/// Decodes n values of a quantised format; false for a format without fast code here.
bool decode_quantised(Format f, const std::byte* blocks, int64_t n, float* out);

template <class Load>
void decode_floats(const std::byte* row, int64_t n, float* out) {
  int64_t i = 0;
  for (; i + kW <= n; i += kW) store(out + i, Load::at(row, i));
  if (i < n) store_n(out + i, Load::at_n(row, i, n - i), n - i);
}

/// Bytes of n columns, whole blocks.
ASHLAR_INLINE int64_t bytes_of(const FormatInfo& format, int64_t n) {
  return n / format.block_len * format.block_bytes;
}

/// Decodes n columns, the first of which begins a block.
void decode(const FormatInfo& format, Format f, const std::byte* blocks, int64_t n, float* out) {
  switch (f) {
    case Format::f32:
      decode_floats<LoadF32>(blocks, n, out);
      break;
    case Format::f16:
      decode_floats<LoadF16>(blocks, n, out);
      break;
    case Format::bf16:
      decode_floats<LoadBf16>(blocks, n, out);
      break;
    case Format::fp8_b128:
      decode_floats<LoadFp8>(blocks, n, out);
      break;
    default:
      if (!decode_quantised(f, blocks, n, out)) format.to_f32(blocks, out, n);
  }
}

/// Asks for `bytes` from byte `at` on of the row a panel later. A panel takes short pieces of many
/// rows, which hardware does not foresee: with few tokens per panel memory would be waited for.
ASHLAR_INLINE void ask_for_next_panel(const MatMul& m, int64_t row, int64_t at, int64_t bytes) {
  if (row + kPanelRows >= m.row_end) return;
  const std::byte* next = m.w + (row + kPanelRows) * m.w_row_bytes + at;
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(next + i, 0, 2);
}

/// Rows [row, row + kPanelRows) (zeros past row_end), columns [col, col + n), into
/// panel[c][kPanelRows].
void pack_f32(Format f, const MatMul& m, int64_t row, int64_t col, int64_t n, float* stage,
              float* panel) {
  const FormatInfo& format = info(f);
  for (int64_t g = 0; g < 2; ++g) {
    for (int64_t c = 0; c < n; c += kStageCols) {
      const int64_t len = at_most(kStageCols, n - c);
      const int64_t at = bytes_of(format, col + c), bytes = bytes_of(format, len);
      for (int64_t i = 0; i < kW; ++i) {
        const int64_t r = row + g * kW + i;
        float* out = stage + i * kStageStride;
        int64_t filled = 0;
        if (r < m.row_end) {
          ask_for_next_panel(m, r, at, bytes);
          decode(format, f, m.w + r * m.w_row_bytes + at, len, out);
          filled = len;
        }
        const int64_t end = (len + kW - 1) / kW * kW;
        __builtin_memset(out + filled, 0, static_cast<size_t>(end - filled) * 4);
      }
      for (int64_t k = 0; k < len; k += kW)
        transpose(stage + k, kStageStride, panel + (c + k) * kPanelRows + g * kW, kPanelRows);
    }
  }
}

/// acc[t][g] += sum over c < n of x[t][c] * w[c * w_stride + g * kW ..], w of Load's format.
template <class Load, int T>
ASHLAR_INLINE void tile(const float* const* x, const std::byte* w, int64_t w_stride, int64_t n,
                        F (&acc)[T][2]) {
  const float* p[T];
  for (int t = 0; t < T; ++t) p[t] = x[t];
  for (int64_t c = 0, i = 0; c < n; ++c, i += w_stride) {
    const F w0 = Load::at(w, i), w1 = Load::at(w, i + kW);
    for (int t = 0; t < T; ++t) {
      const F v = set1(p[t][c]);
      acc[t][0] = fma(v, w0, acc[t][0]);
      acc[t][1] = fma(v, w1, acc[t][1]);
    }
  }
}

template <int T>
ASHLAR_INLINE void tile_f32(const float* const* x, const float* w, int64_t w_stride, int64_t n,
                            F (&acc)[T][2]) {
  tile<LoadF32, T>(x, reinterpret_cast<const std::byte*>(w), w_stride, n, acc);
}

/// Adds a tile's sums to y, starting from the bias where this is the row's first part.
template <int T>
ASHLAR_INLINE void put_tile(const MatMul& m, int64_t row, int64_t token, bool first_part,
                            const F (&acc)[T][2]) {
#pragma GCC unroll 2
  for (int g = 0; g < 2; ++g) {
    const int64_t r = row + g * kW, n = at_most(kW, m.row_end - r);
    if (n <= 0) break;
    const F bias = m.bias ? load_n(m.bias + r, n) : zero();
#pragma GCC unroll 6
    for (int t = 0; t < T; ++t) {
      float* y = m.y + (token + t) * m.y_stride + r;
      if (n == kW) {
        store(y, add(acc[t][g], first_part ? bias : load(y)));
      } else {
        store_n(y, add(acc[t][g], first_part ? bias : load_n(y, n)), n);
      }
    }
  }
}

template <class Load, int T>
void panel_tile(const MatMul& m, int64_t row, int64_t token, const float* const* x,
                const std::byte* panel, int64_t n, bool first_part) {
  F acc[T][2];
  for (int t = 0; t < T; ++t) acc[t][0] = acc[t][1] = zero();
  tile<Load, T>(x, panel, kPanelRows, n, acc);
  put_tile<T>(m, row, token, first_part, acc);
}

/// Columns [col, col + n) of a prepared row as float32.
void widen(Activation form, const std::byte* x, int64_t cols, int64_t col, int64_t n, float* out) {
  if (form == Activation::bf16) {
    int64_t i = 0;
    for (; i + kW <= n; i += kW) store(out + i, load_bf16(x + 2 * (col + i)));
    if (i < n) store_n(out + i, load_bf16_n(x + 2 * (col + i), n - i), n - i);
    return;
  }
  const auto* q = reinterpret_cast<const int8_t*>(x);
  const auto* scale = reinterpret_cast<const float*>(x + q8_layout(cols).scale);
  for (int64_t i = 0; i < n; ++i) out[i] = scale[(col + i) / 32] * static_cast<float>(q[col + i]);
}

/// The tokens of tile `tile` when `tokens` are dealt out evenly to tiles of at most kTile.
ASHLAR_INLINE int64_t tile_begin(int64_t tokens, int64_t tiles, int64_t tile) {
  return tokens * tile / tiles;
}

constexpr int64_t kF32Scratch =
    (kPanelCols * kPanelRows + kW * kStageStride + kTile * kPanelCols) * 4;

/// All tokens with columns [col, col + n) of a panel, whose numbers are of Load's format.
template <class Load>
void multiply_panel(Activation form, const MatMul& m, int64_t row, int64_t col, int64_t n,
                    const std::byte* panel, float* wide) {
  const int64_t tiles = (m.tokens + kTile - 1) / kTile;
  for (int64_t i = 0; i < tiles; ++i) {
    const int64_t t0 = tile_begin(m.tokens, tiles, i);
    const int64_t count = tile_begin(m.tokens, tiles, i + 1) - t0;
    const float* x[kTile];
    for (int64_t t = 0; t < count; ++t) {
      const std::byte* prepared = token_row(m, t0 + t);
      if (form == Activation::f32) {
        x[t] = reinterpret_cast<const float*>(prepared) + col;
      } else {
        widen(form, prepared, m.cols, col, n, wide + t * kPanelCols);
        x[t] = wide + t * kPanelCols;
      }
    }
    switch (count) {
      case 1:
        panel_tile<Load, 1>(m, row, t0, x, panel, n, col == 0);
        break;
      case 2:
        panel_tile<Load, 2>(m, row, t0, x, panel, n, col == 0);
        break;
      case 3:
        panel_tile<Load, 3>(m, row, t0, x, panel, n, col == 0);
        break;
      case 4:
        panel_tile<Load, 4>(m, row, t0, x, panel, n, col == 0);
        break;
      case 5:
        panel_tile<Load, 5>(m, row, t0, x, panel, n, col == 0);
        break;
      default:
        panel_tile<Load, 6>(m, row, t0, x, panel, n, col == 0);
        break;
    }
  }
}

void matmul_panels_f32(Format f, Activation form, const MatMul& m, std::byte* scratch) {
  auto* panel = reinterpret_cast<float*>(scratch);
  float* stage = panel + kPanelCols * kPanelRows;
  float* wide = stage + kW * kStageStride;
  for (int64_t row = m.row_begin; row < m.row_end; row += kPanelRows) {
    for (int64_t col = 0; col < m.cols; col += kPanelCols) {
      const int64_t n = at_most(kPanelCols, m.cols - col);
      pack_f32(f, m, row, col, n, stage, panel);
      multiply_panel<LoadF32>(form, m, row, col, n, scratch, wide);
    }
  }
}
