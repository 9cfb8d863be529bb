// Products of bfloat16 by vdpbf16ps, packed from float32, sums in float32. A word is a pair along
// the sum: the lower half is the first.

/// Words of 16 pairs (low[i], high[i]).
ASHLAR_INLINE __m512i pairs_of(__m512 low, __m512 high) {
  const __m512i both = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, both);
}
ASHLAR_INLINE __mmask16 up_to(int64_t n) {
  return n >= 16 ? __mmask16{0xffff} : n <= 0 ? __mmask16{0} : first(n);
}
/// Numbers [c, c + 32) of a row of k, zeros beyond, as 16 words.
ASHLAR_INLINE __m512i words_at(const float* row, int64_t c, int64_t k) {
  const __m512 low = _mm512_maskz_loadu_ps(up_to(k - c), row + c);
  const __m512 high = _mm512_maskz_loadu_ps(up_to(k - c - 16), row + c + 16);
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}

void pack_rows_bf16(const float* a, int64_t row_stride, int64_t rows, int64_t k, std::byte* tile,
                    int64_t tile_row) {
  auto* out = reinterpret_cast<uint32_t*>(tile);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t c = 0; c < k; c += 32)
      _mm512_mask_storeu_epi32(out + i * tile_row + c / 2, up_to((k - c + 1) / 2),
                               words_at(a + i * row_stride, c, k));
  }
}

void pack_columns_bf16(const float* a, int64_t k_stride, int64_t rows, int64_t k, std::byte* tile) {
  auto* out = reinterpret_cast<uint32_t*>(tile);
  const __mmask16 mask = up_to(rows);
  for (int64_t c = 0; c < k; c += 2, out += kTileRows) {
    const __m512 low = _mm512_maskz_loadu_ps(mask, a + c * k_stride);
    const __m512 high = _mm512_maskz_loadu_ps(c + 1 < k ? mask : __mmask16{0},
                                              c + 1 < k ? a + (c + 1) * k_stride : a);
    _mm512_mask_storeu_epi32(out, mask, pairs_of(low, high));
  }
}

void pack_panel_bf16(const float* b, int64_t k_stride, int64_t cols, int64_t k, std::byte* panel) {
  auto* out = reinterpret_cast<uint32_t*>(panel);
  for (int64_t c = 0; c < k; c += 2, out += kPanel) {
    const bool pair = c + 1 < k;
    const float *low = b + c * k_stride, *high = pair ? low + k_stride : low;
    for (int64_t g = 0; g < kPanel; g += kW) {
      const __mmask16 mask = up_to(cols - g);
      _mm512_storeu_si512(out + g,
                          pairs_of(_mm512_maskz_loadu_ps(mask, low + g),
                                   _mm512_maskz_loadu_ps(pair ? mask : __mmask16{0}, high + g)));
    }
  }
}

void pack_panel_transposed_bf16(const float* b, int64_t col_stride, int64_t cols, int64_t k,
                                std::byte* panel) {
  auto* out = reinterpret_cast<float*>(panel);
  const int64_t words = (k + 1) / 2;
  float stage[kW * kW], transposed[kW * kW];
  for (int64_t g = 0; g < kPanel; g += kW) {
    for (int64_t c = 0; c < k; c += 2 * kW) {
      for (int64_t j = 0; j < kW; ++j)
        _mm512_storeu_si512(stage + j * kW, g + j < cols ? words_at(b + (g + j) * col_stride, c, k)
                                                         : _mm512_setzero_si512());
      const int64_t count = words - c / 2;
      if (count >= kW) {
        transpose(stage, kW, out + c / 2 * kPanel + g, kPanel);
      } else {
        transpose(stage, kW, transposed, kW);
        for (int64_t i = 0; i < count; ++i)
          __builtin_memcpy(out + (c / 2 + i) * kPanel + g, transposed + i * kW, kW * 4);
      }
    }
  }
}

template <int T>
void run_tile_bf16(const TileProduct& p, int64_t i) {
  const auto* a = reinterpret_cast<const int32_t*>(p.a) + i / kTileRows * p.a_tile;
  const int64_t row = p.a_row, word = p.a_word;
  const int32_t* at[(T + 2) / 3];
  for (int r = 0; r < (T + 2) / 3; ++r) at[r] = a + 3 * r * row;
  __m512 sums[T][2];
  for (int r = 0; r < T; ++r) sums[r][0] = sums[r][1] = _mm512_setzero_ps();
  const auto* panel = reinterpret_cast<const int32_t*>(p.panel);
  for (int64_t k = 0; k < p.words; ++k, panel += kPanel) {
    const auto b0 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(panel));
    const auto b1 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(panel + kW));
#pragma GCC unroll 16
    for (int r = 0; r < T; ++r) {
      const auto v = reinterpret_cast<__m512bh>(_mm512_set1_epi32(at[r / 3][r % 3 * row]));
      sums[r][0] = _mm512_dpbf16_ps(sums[r][0], b0, v);
      sums[r][1] = _mm512_dpbf16_ps(sums[r][1], b1, v);
    }
#pragma GCC unroll 16
    for (int r = 0; r < (T + 2) / 3; ++r) at[r] += word;
  }
  for (int r = 0; r < T; ++r) {
    if (p.cols == kPanel) {
      if (p.bias != nullptr) {
        sums[r][0] = add(sums[r][0], load(p.bias));
        sums[r][1] = add(sums[r][1], load(p.bias + kW));
      }
      if (p.start != nullptr) {
        const float* start = p.start + (i + r) * p.start_stride;
        sums[r][0] = add(sums[r][0], load(start));
        sums[r][1] = add(sums[r][1], load(start + kW));
      }
      store(p.c + (i + r) * p.c_stride, sums[r][0]);
      store(p.c + (i + r) * p.c_stride + kW, sums[r][1]);
      continue;
    }
    float values[kPanel];
    _mm512_storeu_ps(values, sums[r][0]);
    _mm512_storeu_ps(values + kW, sums[r][1]);
    put_row(p, i + r, values);
  }
}

void multiply_bf16(const TileProduct& p) {
  for (int64_t i = 0; i < p.rows; i += kTileRows) {
    switch (p.rows - i < kTileRows ? p.rows - i : kTileRows) {
#define ASHLAR_CASE(n)      \
  case n:                   \
    run_tile_bf16<n>(p, i); \
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

constexpr ProductKernels kProductsBf16 = {.tile_rows = kTileRows,
                                          .panel_cols = kPanel,
                                          .word_bytes = 4,
                                          .per_word = 2,
                                          .pack_rows = pack_rows_bf16,
                                          .pack_columns = pack_columns_bf16,
                                          .pack_panel = pack_panel_bf16,
                                          .pack_panel_transposed = pack_panel_transposed_bf16,
                                          .multiply = multiply_bf16};
