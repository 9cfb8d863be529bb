// Products of packed operands: tiles of kTileRows x 2 vectors whose sums stay in registers. Where
// included: kW floats in a vector, kTileRows, and transpose of kW x kW words.

constexpr int64_t kPanel = 2 * kW;  // columns

template <class Number, int kLanes>
struct LanesOf {
  using Vector __attribute__((vector_size(kLanes * sizeof(Number)))) = Number;
};
template <class Vector, class Number>
ASHLAR_INLINE Vector vector_at(const Number* p) {
  Vector v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}

/// Sums of T rows and two vectors of columns, in `sums` [T][2].
template <class Number, int kLanes, int T, class Vector>
ASHLAR_INLINE void sum_tile(const Number* a, int64_t row, int64_t word, const Number* panel,
                            int64_t words, Vector (&sums)[T][2]) {
  const Number* at[(T + 2) / 3];  // every third row: the others are one or two strides away
  for (int i = 0; i < (T + 2) / 3; ++i) at[i] = a + 3 * i * row;
  for (int i = 0; i < T; ++i) sums[i][0] = sums[i][1] = Vector{};
  for (int64_t k = 0; k < words; ++k) {
    const Vector b0 = vector_at<Vector>(panel);
    const Vector b1 = vector_at<Vector>(panel + kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < T; ++i) {
      const Number v = at[i / 3][i % 3 * row];
      sums[i][0] += v * b0;
      sums[i][1] += v * b1;
    }
    panel += 2 * kLanes;
#pragma GCC unroll 16
    for (int i = 0; i < (T + 2) / 3; ++i) at[i] += word;
  }
}

/// c = start + bias + sums of one tile; sums of `cols` floats or doubles per row.
template <class Number>
ASHLAR_INLINE void put_row(const TileProduct& p, int64_t i, const Number* sums) {
  float* c = p.c + i * p.c_stride;
  const float* start = p.start == nullptr ? nullptr : p.start + i * p.start_stride;
  if (start == nullptr && p.bias == nullptr) {
    for (int64_t j = 0; j < p.cols; ++j) c[j] = static_cast<float>(sums[j]);
  } else {
    for (int64_t j = 0; j < p.cols; ++j) {
      Number sum = sums[j];
      if (p.bias != nullptr) sum += p.bias[j];
      if (start != nullptr) sum += start[j];
      c[j] = static_cast<float>(sum);
    }
  }
}

template <class Number, int kLanes, int T>
void run_tile(const TileProduct& p, int64_t i) {
  using Vector = typename LanesOf<Number, kLanes>::Vector;
  Vector sums[T][2];
  sum_tile<Number, kLanes, T>(reinterpret_cast<const Number*>(p.a) + i / kTileRows * p.a_tile,
                              p.a_row, p.a_word, reinterpret_cast<const Number*>(p.panel), p.words,
                              sums);
  if (p.cols == 2 * kLanes && sizeof(Number) == 4) {
    for (int r = 0; r < T; ++r) {
      if (p.bias != nullptr) {
        sums[r][0] += vector_at<Vector>(p.bias);
        sums[r][1] += vector_at<Vector>(p.bias + kLanes);
      }
      if (p.start != nullptr) {
        const float* start = p.start + (i + r) * p.start_stride;
        sums[r][0] += vector_at<Vector>(start);
        sums[r][1] += vector_at<Vector>(start + kLanes);
      }
      __builtin_memcpy(p.c + (i + r) * p.c_stride, sums[r], sizeof(sums[r]));
    }
    return;
  }
  for (int r = 0; r < T; ++r) {
    Number row[2 * kLanes];
    __builtin_memcpy(row, sums[r], sizeof(row));
    put_row(p, i + r, row);
  }
}

template <class Number, int kLanes>
void multiply_tiles(const TileProduct& p) {
  for (int64_t i = 0; i < p.rows; i += kTileRows) {
    switch (p.rows - i < kTileRows ? p.rows - i : kTileRows) {
#define ASHLAR_CASE(n)                                               \
  case n:                                                            \
    run_tile<Number, kLanes, (n < kTileRows ? n : kTileRows)>(p, i); \
    break;
      ASHLAR_CASE(1)
      ASHLAR_CASE(2)
      ASHLAR_CASE(3)
      ASHLAR_CASE(4)
      ASHLAR_CASE(5)
      ASHLAR_CASE(6)
      ASHLAR_CASE(7)
      ASHLAR_CASE(8)
      ASHLAR_CASE(9)
      ASHLAR_CASE(10)
      ASHLAR_CASE(11)
      ASHLAR_CASE(12)
#undef ASHLAR_CASE
      default:
        break;
    }
  }
}

template <class Number>
void pack_rows(const float* a, int64_t row_stride, int64_t rows, int64_t k, std::byte* tile,
               int64_t tile_row) {
  auto* out = reinterpret_cast<Number*>(tile);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t c = 0; c < k; ++c)
      out[i * tile_row + c] = static_cast<Number>(a[i * row_stride + c]);
  }
}

template <class Number>
void pack_columns(const float* a, int64_t k_stride, int64_t rows, int64_t k, std::byte* tile) {
  auto* out = reinterpret_cast<Number*>(tile);
  if (rows == kTileRows) {
    for (int64_t c = 0; c < k; ++c, a += k_stride, out += kTileRows) {
      for (int64_t i = 0; i < kTileRows; ++i) out[i] = static_cast<Number>(a[i]);
    }
    return;
  }
  for (int64_t c = 0; c < k; ++c, a += k_stride, out += kTileRows) {
    for (int64_t i = 0; i < rows; ++i) out[i] = static_cast<Number>(a[i]);
  }
}

template <class Number, int kLanes>
void pack_panel(const float* b, int64_t k_stride, int64_t cols, int64_t k, std::byte* panel) {
  auto* out = reinterpret_cast<Number*>(panel);
  for (int64_t c = 0; c < k; ++c, b += k_stride, out += 2 * kLanes) {
    if (cols == 2 * kLanes) {
      for (int64_t j = 0; j < 2 * kLanes; ++j) out[j] = static_cast<Number>(b[j]);
    } else {
      for (int64_t j = 0; j < cols; ++j) out[j] = static_cast<Number>(b[j]);
      for (int64_t j = cols; j < 2 * kLanes; ++j) out[j] = 0;
    }
  }
}

void pack_panel_transposed_f32(const float* b, int64_t col_stride, int64_t cols, int64_t k,
                               std::byte* panel) {
  auto* out = reinterpret_cast<float*>(panel);
  float stage[kW * kW];
  for (int64_t g = 0; g < kPanel; g += kW) {
    const int64_t n = cols - g < 0 ? 0 : cols - g < kW ? cols - g : kW;
    int64_t c = 0;
    if (n == kW) {
      for (; c + kW <= k; c += kW)
        transpose(b + g * col_stride + c, col_stride, out + c * kPanel + g, kPanel);
    }
    for (; c < k; c += kW) {
      const int64_t count = k - c < kW ? k - c : kW;
      __builtin_memset(stage, 0, sizeof(stage));
      for (int64_t j = 0; j < n; ++j) {
        for (int64_t i = 0; i < count; ++i) stage[i * kW + j] = b[(g + j) * col_stride + c + i];
      }
      for (int64_t i = 0; i < count; ++i)
        __builtin_memcpy(out + (c + i) * kPanel + g, stage + i * kW, kW * 4);
    }
  }
}

void pack_panel_transposed_f64(const float* b, int64_t col_stride, int64_t cols, int64_t k,
                               std::byte* panel) {
  auto* out = reinterpret_cast<double*>(panel);
  for (int64_t j = 0; j < kW; ++j) {
    for (int64_t c = 0; c < k; ++c) out[c * kW + j] = j < cols ? b[j * col_stride + c] : 0.0f;
  }
}

/// Rounds packed float32 operands to bfloat16 in place: CPUs without fast bfloat16 compute with the
/// same numbers, at the speed of float32.
void round_packed(std::byte* packed, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits;
    __builtin_memcpy(&bits, packed + 4 * i, 4);
    const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
    bits = nan ? bits | 0x400000u : bits + 0x7fffu + (bits >> 16 & 1u);
    bits &= 0xffff0000u;
    __builtin_memcpy(packed + 4 * i, &bits, 4);
  }
}
void pack_rows_rounded(const float* a, int64_t row_stride, int64_t rows, int64_t k, std::byte* tile,
                       int64_t tile_row) {
  pack_rows<float>(a, row_stride, rows, k, tile, tile_row);
  for (int64_t i = 0; i < rows; ++i) round_packed(tile + i * tile_row * 4, k);
}
void pack_columns_rounded(const float* a, int64_t k_stride, int64_t rows, int64_t k,
                          std::byte* tile) {
  pack_columns<float>(a, k_stride, rows, k, tile);
  round_packed(tile, k * kTileRows);
}
void pack_panel_rounded(const float* b, int64_t k_stride, int64_t cols, int64_t k,
                        std::byte* panel) {
  pack_panel<float, kW>(b, k_stride, cols, k, panel);
  round_packed(panel, k * kPanel);
}
void pack_panel_transposed_rounded(const float* b, int64_t col_stride, int64_t cols, int64_t k,
                                   std::byte* panel) {
  pack_panel_transposed_f32(b, col_stride, cols, k, panel);
  round_packed(panel, k * kPanel);
}

constexpr ProductKernels kProductsF32 = {.tile_rows = kTileRows,
                                         .panel_cols = kPanel,
                                         .word_bytes = 4,
                                         .per_word = 1,
                                         .pack_rows = pack_rows<float>,
                                         .pack_columns = pack_columns<float>,
                                         .pack_panel = pack_panel<float, kW>,
                                         .pack_panel_transposed = pack_panel_transposed_f32,
                                         .multiply = multiply_tiles<float, kW>};
constexpr ProductKernels kProductsF64 = {.tile_rows = kTileRows,
                                         .panel_cols = kW,
                                         .word_bytes = 8,
                                         .per_word = 1,
                                         .pack_rows = pack_rows<double>,
                                         .pack_columns = pack_columns<double>,
                                         .pack_panel = pack_panel<double, kW / 2>,
                                         .pack_panel_transposed = pack_panel_transposed_f64,
                                         .multiply = multiply_tiles<double, kW / 2>};
constexpr ProductKernels kProductsRounded = {.tile_rows = kTileRows,
                                             .panel_cols = kPanel,
                                             .word_bytes = 4,
                                             .per_word = 1,
                                             .pack_rows = pack_rows_rounded,
                                             .pack_columns = pack_columns_rounded,
                                             .pack_panel = pack_panel_rounded,
                                             .pack_panel_transposed = pack_panel_transposed_rounded,
                                             .multiply = multiply_tiles<float, kW>};
