// Row dots of quantised weights with int8 activations, over the vocabulary of bytes_*.inl (AVX2, NEON).
// Formulas: int8_avx512.inl.

template <Format f>
using ChunkOf = Chunk<Code<f>::kCols, Code<f>::kSub>;

template <Format f, int T>
ASHLAR_INLINE void dot_chunk(const uint8_t* p, const std::byte* const* x, int64_t col,
                             const Q8Layout& at, F (&acc)[T], F (&lows)[T], float (&low)[T]) {
  using C = Code<f>;
  ChunkOf<f> c;
  C::unpack(p, c);
  for (int t = 0; t < T; ++t) {
    const auto* q = reinterpret_cast<const uint8_t*>(x[t] + col);
    const auto* xs = reinterpret_cast<const float*>(x[t] + at.scale) + col / 32;
    const auto* sums = reinterpret_cast<const float*>(x[t] + at.sum) + col / 32;
    if (C::kCols == 32) {
      const F scale = set1(c.scale[0] * xs[0]);
      acc[t] = fma(products<C::kSigned>(c.q[0], load32(q)), scale, acc[t]);
      if (!C::kSigned) low[t] += c.low[0] * sums[0];
      continue;
    }
    for (int i = 0; i < C::kCols / 32; ++i) {
      const F product = products<C::kSigned>(c.q[i], load32(q + 32 * i));
      F scale;
      if (C::kSub == 32) {
        scale = set1(c.scale[i] * xs[i]);
      } else {
        scale = mul(halves(c.scale + 2 * i), set1(xs[i]));
      }
      acc[t] = fma(product, scale, acc[t]);
    }
    if (!C::kSigned) {
      if (C::kSub == 32) {
        lows[t] = fma(load(c.low), load(sums), lows[t]);
      } else {
        const auto* half = reinterpret_cast<const float*>(x[t] + at.half_sum) + col / 16;
        lows[t] = fma(load(c.low), load(half), lows[t]);
        lows[t] = fma(load(c.low + 8), load(half + 8), lows[t]);
      }
    }
  }
}

template <Format f, int T>
void dot_tokens_q8(const MatMul& m, int64_t token) {
  using C = Code<f>;
  const Q8Layout at = q8_layout(m.cols);
  const std::byte* x[T];
  for (int t = 0; t < T; ++t) x[t] = token_row(m, token + t);
  const RowOrder order(m);
  const int64_t ahead = kBytesAhead;
  for (int64_t n = 0; n < m.row_end - m.row_begin; ++n) {
    const int64_t r = order.at(n);
    const auto* p = reinterpret_cast<const uint8_t*>(m.w + r * m.w_row_bytes);
    F acc[T], lows[T];
    float low[T];
    for (int t = 0; t < T; ++t) {
      acc[t] = lows[t] = zero();
      low[t] = 0;
    }
    for (int64_t col = 0; col < m.cols; col += C::kCols, p += C::kBytes) {
      for (int i = 0; i < C::kBytes; i += 64) __builtin_prefetch(p + ahead + i, 0, 3);
      dot_chunk<f, T>(p, x, col, at, acc, lows, low);
    }
    constexpr float kPart = 1.0f / kSumFactor;
    for (int t = 0; t < T; ++t)
      m.y[(token + t) * m.y_stride + r] =
          sum(fma(lows[t], set1(kPart), acc[t])) + low[t] * kPart + (m.bias ? m.bias[r] : 0.0f);
  }
}

template <Format f>
void dot_all_q8(const MatMul& m) {
  int64_t t = 0;
  for (; t + 4 <= m.tokens; t += 4) dot_tokens_q8<f, 4>(m, t);
  switch (m.tokens - t) {
    case 1:
      dot_tokens_q8<f, 1>(m, t);
      break;
    case 2:
      dot_tokens_q8<f, 2>(m, t);
      break;
    case 3:
      dot_tokens_q8<f, 3>(m, t);
      break;
    default:
      break;
  }
}

// ---- To float32, for panels.

template <Format f>
void decode_q(const std::byte* blocks, int64_t n, float* out) {
  using C = Code<f>;
  const auto* p = reinterpret_cast<const uint8_t*>(blocks);
  for (int64_t col = 0; col < n; col += C::kCols, p += C::kBytes) {
    ChunkOf<f> c;
    C::unpack(p, c);
    for (int i = 0; i < C::kCols / 32; ++i) {
      alignas(32) uint8_t bytes[32];
      store32(bytes, c.q[i]);
      for (int j = 0; j < 4; ++j) {  // unsigned ones are small enough to be signed
        const int run = (32 * i + 8 * j) / C::kSub;
        store(out + col + 32 * i + 8 * j,
              fma(load_int8(bytes + 8 * j), set1(c.scale[run]), set1(c.low[run])));
      }
    }
  }
}
