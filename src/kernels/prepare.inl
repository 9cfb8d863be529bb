// Activations to the form that products want, over the vector vocabulary of simd_*.inl.

/// Thirty-two values, as kernels/activations.h lays them out; n of them are real.
ASHLAR_INLINE void prepare_run(const float* x, int64_t n, int8_t* q, float* scale, float* sum_out,
                               float* half_sum) {
  constexpr int kVectors = 32 / kW;
  F v[kVectors];
  F high = zero();
  for (int i = 0; i < kVectors; ++i) {
    const int64_t left = n - i * kW;
    v[i] = left >= kW ? load(x + i * kW) : left > 0 ? load_n(x + i * kW, left) : zero();
    high = max(high, abs(v[i]));
  }
  const float found = largest(high), top = found < kQ8Smallest ? 0.0f : found;
  const float d = top / 127.0f;
  const F inverse = set1(top > 0 ? 127.0f / top : 0.0f);
  for (int i = 0; i < kVectors; ++i) v[i] = round(mul(v[i], inverse));
  float sums[2] = {0, 0};
  for (int i = 0; i < kVectors; ++i) {
    store_int8(q + i * kW, v[i]);
    sums[i * kW / 16] += sum(v[i]);  // whole numbers below 2^24: exact
  }
  *scale = d;
  const float times = kSumFactor * d;
  *sum_out = times * (sums[0] + sums[1]);
  half_sum[0] = times * sums[0];
  half_sum[1] = times * sums[1];
}

void prepare(Activation form, const float* x, std::byte* out, int64_t cols) {
  switch (form) {
    case Activation::f32:
      __builtin_memcpy(out, x, static_cast<size_t>(cols) * 4);
      break;
    case Activation::bf16:
      store_row(Format::bf16, x, out, cols);
      if (cols % 2) __builtin_memset(out + 2 * cols, 0, 2);  // the other half of a pair
      break;
    case Activation::q8: {
      const Q8Layout at = q8_layout(cols);
      for (int64_t b = 0; b < at.padded / 32; ++b)
        prepare_run(x + 32 * b, at_most(32, cols - 32 * b), reinterpret_cast<int8_t*>(out) + 32 * b,
                    reinterpret_cast<float*>(out + at.scale) + b,
                    reinterpret_cast<float*>(out + at.sum) + b,
                    reinterpret_cast<float*>(out + at.half_sum) + 2 * b);
      break;
    }
    case Activation::tiles:  // by the group
      break;
  }
}
