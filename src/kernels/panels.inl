// Products of weights whose values are stored one by one: forms, choice of the kernel, and panels that
// stay: what gemm.inl packs for every call, packed once, in the weight's own format.

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

void pack_plain(Format f, const std::byte* w, int64_t row_bytes, int64_t rows, int64_t cols,
                std::byte* out) {
  if (f == Format::f32)
    pack_numbers<4>(w, row_bytes, rows, cols, out);
  else
    pack_numbers<2>(w, row_bytes, rows, cols, out);
}

/// Rows begin at a panel.
template <class Load, int kBytes>
void matmul_packed_as(Activation form, const MatMul& m, std::byte* scratch) {
  auto* wide = reinterpret_cast<float*>(scratch);
  for (int64_t row = m.row_begin; row < m.row_end; row += kPanelRows) {
    for (int64_t col = 0; col < m.cols; col += kPanelCols) {
      const int64_t n = at_most(kPanelCols, m.cols - col);
      const std::byte* panel = m.panels + (row * m.cols + col * kPanelRows) * kBytes;
      multiply_panel<Load>(form, m, row, col, n, panel, wide);
    }
  }
}

void matmul_packed(Format f, Activation form, const MatMul& m, std::byte* scratch) {
  if (f == Format::f32) return matmul_packed_as<LoadF32, 4>(form, m, scratch);
  if (f == Format::f16) return matmul_packed_as<LoadF16, 2>(form, m, scratch);
  matmul_packed_as<LoadBf16, 2>(form, m, scratch);
}

constexpr int64_t kFewTokens = 8;  // row dots of numbers up to here, panels above
constexpr int64_t kDotRows = 8;    // of a task of row dots

constexpr ProductForm kFloatForms[] = {{.tokens = 1, .rows = kDotRows},
                                       {.tokens = kFewTokens + 1, .rows = kPanelRows}};
constexpr ProductForm kPlainForms[] = {
    {.tokens = 1, .rows = kDotRows},
    {.tokens = kFewTokens + 1, .rows = kPanelRows},
    {.tokens = kFewTokens + 1, .packing = Packing::panels, .rows = kPanelRows}};

/// Products with float32 rows, of weights that are not in panels.
void matmul_floats(Format f, Activation form, const MatMul& m, std::byte* scratch) {
  if (form == Activation::f32 && m.tokens <= kFewTokens) {
    switch (f) {
      case Format::f32:
        return dot_all<LoadF32>(m);
      case Format::f16:
        return dot_all<LoadF16>(m);
      case Format::bf16:
        return dot_all<LoadBf16>(m);
      case Format::fp8_b128:
        return dot_all<LoadFp8>(m);
      default:
        break;
    }
  }
  matmul_panels_f32(f, form, m, scratch);
}
