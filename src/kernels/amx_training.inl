// Training's products of bfloat16 by tiles. A tile of the left operand has 32 rows along memory, a
// panel 32 columns in pairs: two tiles each, four of sums.

constexpr int64_t kRows = 32;
constexpr int64_t kStepWords = 16;

/// As pack_rows_bf16, zeros to the end of the last step.
void pack_row_steps(const float* a, int64_t row_stride, int64_t rows, int64_t k, std::byte* tile,
                    int64_t tile_row) {
  auto* out = reinterpret_cast<uint32_t*>(tile);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t c = 0; c < k; c += 2 * kStepWords)
      _mm512_storeu_si512(out + i * tile_row + c / 2, words_at(a + i * row_stride, c, k));
  }
}

void pack_column_steps(const float* a, int64_t k_stride, int64_t rows, int64_t k, std::byte* tile,
                       int64_t tile_row) {
  auto* out = reinterpret_cast<float*>(tile);
  float words[kStepWords * 16];
  for (int64_t g = 0; g < rows; g += 16) {
    const __mmask16 there = up_to(rows - g);
    for (int64_t c = 0; c < k; c += 2 * kStepWords) {
      for (int64_t w = 0; w < kStepWords; ++w) {
        const int64_t low = c + 2 * w, high = low + 1;
        const __mmask16 has_low = low < k ? there : __mmask16{0};
        const __mmask16 has_high = high < k ? there : __mmask16{0};
        _mm512_storeu_si512(
            words + 16 * w,
            pairs_of(_mm512_maskz_loadu_ps(has_low, a + (low < k ? low : 0) * k_stride + g),
                     _mm512_maskz_loadu_ps(has_high, a + (high < k ? high : 0) * k_stride + g)));
      }
      transpose(words, 16, out + g * tile_row + c / 2, tile_row);
    }
  }
}

/// One step of two left and two right tiles into tiles 0 .. 3.
ASHLAR_INLINE void add_words(const std::byte* left, int64_t left_row, const std::byte* right) {
  load_tile<4>(left, left_row);
  load_tile<6>(right, kPanel * 4);
  add_tiles<0, 4, 6>();
  load_tile<5>(left + 16 * left_row, left_row);
  add_tiles<2, 5, 6>();
  load_tile<7>(right + 64, kPanel * 4);
  add_tiles<1, 4, 7>();
  add_tiles<3, 5, 7>();
}

void multiply_words(const TileProduct& p) {
  const int64_t steps = p.words / kStepWords, rest = p.words % kStepWords;
  alignas(64) float stage[kRows * kPanel];
  alignas(64) uint32_t last[kStepWords * kPanel];  // the panel's last words, then zeros
  if (rest > 0) {
    const std::byte* from = p.panel + steps * kStepWords * kPanel * 4;
    __builtin_memcpy(last, from, static_cast<size_t>(rest * kPanel) * 4);
    __builtin_memset(last + rest * kPanel, 0,
                     static_cast<size_t>((kStepWords - rest) * kPanel) * 4);
  }
  begin_tiles();
  for (int64_t i = 0; i < p.rows; i += kRows) {
    const std::byte* left = p.a + i / kRows * p.a_tile * 4;
    const bool whole = p.rows - i >= kRows && p.cols == kPanel && p.bias == nullptr;
    float* c = p.c + i * p.c_stride;
    zero_products<2, 2>();
    for (int64_t s = 0; s < steps; ++s)
      add_words(left + s * 64, p.a_row * 4, p.panel + s * kStepWords * kPanel * 4);
    if (rest > 0)
      add_words(left + steps * 64, p.a_row * 4, reinterpret_cast<const std::byte*>(last));
    float* to = whole && p.start == nullptr ? c : stage;
    const int64_t row = to == c ? p.c_stride : kPanel;
    store_tile<0>(to, row * 4);
    store_tile<1>(to + 16, row * 4);
    store_tile<2>(to + 16 * row, row * 4);
    store_tile<3>(to + 16 * row + 16, row * 4);
    if (to == c) continue;
    const int64_t rows = p.rows - i < kRows ? p.rows - i : kRows;
    for (int64_t r = 0; r < rows; ++r) {
      const float* sums = stage + r * kPanel;
      if (!whole) {
        put_row(p, i + r, sums);
        continue;
      }
      const float* start = p.start + (i + r) * p.start_stride;
      store(c + r * p.c_stride, add(load(sums), load(start)));
      store(c + r * p.c_stride + kW, add(load(sums + kW), load(start + kW)));
    }
  }
  end_tiles();
}
