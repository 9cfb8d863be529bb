// Weights that stay in panels: what gemm.inl packs for every call, packed once, in the weight's own
// format. Only where values are stored one by one.

/// Numbers of `kBytes` bytes: panel[c][kPanelRows], rows past the last are zeros.
template <int kBytes>
void pack_numbers(const std::byte* w, int64_t row_bytes, int64_t rows, int64_t cols,
                  std::byte* out) {
  for (int64_t row = 0; row < rows; row += kPanelRows) {
    for (int64_t c = 0; c < cols; ++c, out += kPanelRows * kBytes) {
      const int64_t count = at_most(kPanelRows, rows - row);
      for (int64_t r = 0; r < count; ++r)
        __builtin_memcpy(out + r * kBytes, w + (row + r) * row_bytes + c * kBytes, kBytes);
      __builtin_memset(out + count * kBytes, 0, static_cast<size_t>((kPanelRows - count) * kBytes));
    }
  }
}

void pack_panels(Format f, const std::byte* w, int64_t row_bytes, int64_t rows, int64_t cols,
                 std::byte* out) {
  if (f == Format::f32)
    pack_numbers<4>(w, row_bytes, rows, cols, out);
  else
    pack_numbers<2>(w, row_bytes, rows, cols, out);
}

/// Rows begin at a panel.
template <class Load, int kBytes>
void matmul_packed(Activation form, const MatMul& m, std::byte* scratch) {
  auto* wide = reinterpret_cast<float*>(scratch);
  for (int64_t row = m.row_begin; row < m.row_end; row += kPanelRows) {
    for (int64_t col = 0; col < m.cols; col += kPanelCols) {
      const int64_t n = at_most(kPanelCols, m.cols - col);
      const std::byte* panel = m.panels + (row * m.cols + col * kPanelRows) * kBytes;
      multiply_panel<Load>(form, m, row, col, n, panel, wide);
    }
  }
}
