// Panels of bfloat16 with bfloat16 activations, by vdpbf16ps: only where that instruction is fast
// (cpu.h).
//
// The panel is gemm.inl's with pairs of columns in place of columns: panel[c / 2][kPanelRows]
// words.

constexpr int64_t kBf16Cols = 2048;  // the same bytes as kPanelCols floats

template <int T>
void panel_tile_bf16(const MatMul& m, int64_t row, int64_t token, const std::byte* const* prepared,
                     const uint32_t* panel, int64_t words, bool first_part) {
  const std::byte* x[T];
  F acc[T][2];
  for (int t = 0; t < T; ++t) {
    x[t] = prepared[t];
    acc[t][0] = acc[t][1] = zero();
  }
  for (int64_t c = 0; c < words; ++c, panel += kPanelRows) {
    const auto w0 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(panel));
    const auto w1 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(panel + 16));
    for (int t = 0; t < T; ++t) {
      int word;
      __builtin_memcpy(&word, x[t] + 4 * c, 4);
      const auto v = reinterpret_cast<__m512bh>(_mm512_set1_epi32(word));
      acc[t][0] = _mm512_dpbf16_ps(acc[t][0], w0, v);
      acc[t][1] = _mm512_dpbf16_ps(acc[t][1], w1, v);
    }
  }
  put_tile<T>(m, row, token, first_part, acc);
}

/// Rows [row, row + kPanelRows) (zeros past row_end), columns [col, col + n), rounded to bfloat16.
void pack_bf16(Format f, const MatMul& m, int64_t row, int64_t col, int64_t n, float* stage,
               uint32_t* panel) {
  const FormatInfo& format = info(f);
  alignas(64) float values[kStageCols];
  auto* transposed = reinterpret_cast<float*>(panel);
  for (int64_t g = 0; g < 2; ++g) {
    for (int64_t c = 0; c < n; c += kStageCols) {
      const int64_t len = at_most(kStageCols, n - c);
      const int64_t at = bytes_of(format, col + c), bytes = bytes_of(format, len);
      for (int64_t i = 0; i < kW; ++i) {
        const int64_t r = row + g * kW + i;
        auto* out = reinterpret_cast<uint16_t*>(stage + i * kStageStride);
        int64_t filled = 0;
        if (r < m.row_end) ask_for_next_panel(m, r, at, bytes);
        if (r < m.row_end && f == Format::bf16) {
          __builtin_memcpy(out, m.w + r * m.w_row_bytes + 2 * (col + c),
                           static_cast<size_t>(len) * 2);
          filled = len;
        } else if (r < m.row_end) {
          decode(format, f, m.w + r * m.w_row_bytes + at, len, values);
          int64_t k = 0;
          for (; k + kW <= len; k += kW) store_bf16(out + k, load(values + k));
          if (k < len) store_bf16_n(out + k, load_n(values + k, len - k), len - k);
          filled = len;
        }
        const int64_t end = round_up(len, 2 * kW);
        __builtin_memset(out + filled, 0, static_cast<size_t>(end - filled) * 2);
      }
      for (int64_t k = 0; k < (len + 1) / 2; k += kW)
        transpose(stage + k, kStageStride, transposed + ((c / 2) + k) * kPanelRows + g * kW,
                  kPanelRows);
    }
  }
}

void matmul_panels_bf16(Format f, const MatMul& m, std::byte* scratch) {
  auto* panel = reinterpret_cast<uint32_t*>(scratch);
  auto* stage = reinterpret_cast<float*>(scratch) + kPanelCols * kPanelRows;
  const int64_t tiles = (m.tokens + kTile - 1) / kTile;
  for (int64_t row = m.row_begin; row < m.row_end; row += kPanelRows) {
    for (int64_t col = 0; col < m.cols; col += kBf16Cols) {
      const int64_t n = at_most(kBf16Cols, m.cols - col), words = (n + 1) / 2;
      pack_bf16(f, m, row, col, n, stage, panel);
      for (int64_t tile = 0; tile < tiles; ++tile) {
        const int64_t t0 = tile_begin(m.tokens, tiles, tile);
        const int64_t count = tile_begin(m.tokens, tiles, tile + 1) - t0;
        const std::byte* x[kTile];
        for (int64_t t = 0; t < count; ++t) x[t] = token_row(m, t0 + t) + 2 * col;
        switch (count) {
          case 1:
            panel_tile_bf16<1>(m, row, t0, x, panel, words, col == 0);
            break;
          case 2:
            panel_tile_bf16<2>(m, row, t0, x, panel, words, col == 0);
            break;
          case 3:
            panel_tile_bf16<3>(m, row, t0, x, panel, words, col == 0);
            break;
          case 4:
            panel_tile_bf16<4>(m, row, t0, x, panel, words, col == 0);
            break;
          case 5:
            panel_tile_bf16<5>(m, row, t0, x, panel, words, col == 0);
            break;
          default:
            panel_tile_bf16<6>(m, row, t0, x, panel, words, col == 0);
            break;
        }
      }
    }
  }
}
