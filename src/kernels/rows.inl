// Kernels over one row of floats, written once over the vector vocabulary of simd_*.inl.

/// Lanes i .. of a row of n: whole vectors, and at the end what is left (the other lanes are 0).
ASHLAR_INLINE F get(const float* p, int64_t i, int64_t n) {
  return i + kW <= n ? load(p + i) : load_n(p + i, n - i);
}
ASHLAR_INLINE void put(float* p, int64_t i, int64_t n, F v) {
  if (i + kW <= n) {
    store(p + i, v);
  } else {
    store_n(p + i, v, n - i);
  }
}

/// e^x: x = k ln 2 + r, |r| <= ln 2 / 2, and the series of e^r to r^7 / 7!; relative error below
/// 2e-7.
ASHLAR_INLINE F exp(F x) {
  x = min(set1(88.8f), max(set1(-104.0f), x));  // below: 0; above: infinity; a NaN stays one
  const F k = round(mul(x, set1(1.442695041f)));
  F r = fnma(k, set1(0.693145751953125f), x);  // ln 2 in two parts, the first exact times k
  r = fnma(k, set1(1.428606765330187e-6f), r);
  F p = set1(1.0f / 5040);
  p = fma(p, r, set1(1.0f / 720));
  p = fma(p, r, set1(1.0f / 120));
  p = fma(p, r, set1(1.0f / 24));
  p = fma(p, r, set1(1.0f / 6));
  p = fma(p, r, set1(0.5f));
  p = fma(p, r, set1(1.0f));
  p = fma(p, r, set1(1.0f));
  return scale2(p, k);
}

ASHLAR_INLINE F sigmoid(F x) { return div(set1(1.0f), add(set1(1.0f), exp(sub(zero(), x)))); }

/// tanh: 1 - 2 / (e^2|x| + 1), and for small |x| a polynomial (Cephes, tanhf), since the first
/// cancels there.
ASHLAR_INLINE F tanh(F x) {
  const F a = abs(x), square = mul(x, x);
  const F far = sub(set1(1.0f), div(set1(2.0f), add(exp(add(a, a)), set1(1.0f))));
  const F signed_far = if_less(x, zero(), sub(zero(), far), far);
  F p = set1(-5.70498872745e-3f);
  p = fma(p, square, set1(2.06390887954e-2f));
  p = fma(p, square, set1(-5.37397155531e-2f));
  p = fma(p, square, set1(1.33314422036e-1f));
  p = fma(p, square, set1(-3.33332819422e-1f));
  const F near = fma(mul(p, square), x, x);
  return if_less(a, set1(0.625f), near, signed_far);
}

/// 0.5 x (1 + tanh(u)) = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3).
ASHLAR_INLINE F gelu(F x) {
  const F cube = mul(mul(x, x), x);
  const F u2 = mul(set1(2 * 0.7978845608028654f), fma(set1(0.044715f), cube, x));
  return mul(x, sigmoid(u2));
}

void rms_norm(const float* x, const float* w, float* y, int64_t n, float eps) {
  F squares[4] = {zero(), zero(), zero(), zero()};
  int64_t i = 0;
  for (; i + 4 * kW <= n; i += 4 * kW)
    for (int j = 0; j < 4; ++j) {
      const F v = load(x + i + j * kW);
      squares[j] = fma(v, v, squares[j]);
    }
  for (; i < n; i += kW) {
    const F v = get(x, i, n);
    squares[0] = fma(v, v, squares[0]);
  }
  const float total = sum(add(add(squares[0], squares[1]), add(squares[2], squares[3])));
  const float factor = 1.0f / __builtin_sqrtf(total / static_cast<float>(n) + eps);
  const F f = set1(factor);
  for (i = 0; i < n; i += kW) {
    const F v = mul(get(x, i, n), f);
    put(y, i, n, w ? mul(v, get(w, i, n)) : v);
  }
}

void layer_norm(const float* x, const float* w, const float* b, float* y, int64_t n, float eps) {
  F total = zero();
  for (int64_t i = 0; i < n; i += kW) total = add(total, get(x, i, n));
  const float mean = sum(total) / static_cast<float>(n);
  F squares = zero();
  const F m = set1(mean);
  for (int64_t i = 0; i < n; i += kW) {
    F v = sub(get(x, i, n), m);
    if (i + kW > n) {  // lanes past the end hold -mean
      alignas(64) float lanes[kW] = {};
      store_n(lanes, v, n - i);
      v = load(lanes);
    }
    squares = fma(v, v, squares);
  }
  const float variance = sum(squares) / static_cast<float>(n);
  const F f = set1(1.0f / __builtin_sqrtf(variance + eps));
  for (int64_t i = 0; i < n; i += kW) {
    F v = mul(sub(get(x, i, n), m), f);
    if (w) v = mul(v, get(w, i, n));
    if (b) v = add(v, get(b, i, n));
    put(y, i, n, v);
  }
}

void gated(Gate kind, const float* gate, const float* up, float* y, int64_t n, float alpha,
           float limit) {
  switch (kind) {
    case Gate::silu:
      for (int64_t i = 0; i < n; i += kW) {
        const F g = get(gate, i, n);
        put(y, i, n, mul(mul(g, sigmoid(g)), get(up, i, n)));
      }
      break;
    case Gate::gelu_tanh:
      for (int64_t i = 0; i < n; i += kW) put(y, i, n, mul(gelu(get(gate, i, n)), get(up, i, n)));
      break;
    case Gate::clamped:
      for (int64_t i = 0; i < n; i += kW) {
        const F g = min(get(gate, i, n), set1(limit));
        const F u = min(max(get(up, i, n), set1(-limit)), set1(limit));
        const F s = mul(g, sigmoid(mul(set1(alpha), g)));
        put(y, i, n, mul(add(u, set1(1.0f)), s));
      }
      break;
  }
}

void unary(Unary kind, const float* x, float* y, int64_t n) {
  if (kind == Unary::gelu) {  // the error function has no vector form here
    for (int64_t i = 0; i < n; ++i)
      y[i] = 0.5f * x[i] * (1.0f + __builtin_erff(x[i] * 0.70710678f));
    return;
  }
  for (int64_t i = 0; i < n; i += kW) {
    F v = get(x, i, n);
    switch (kind) {
      case Unary::gelu_tanh:
        v = gelu(v);
        break;
      case Unary::silu:
        v = mul(v, sigmoid(v));
        break;
      case Unary::sigmoid:
        v = sigmoid(v);
        break;
      case Unary::relu:
        v = max(zero(), v);
        break;
      case Unary::gelu:
        break;
    }
    put(y, i, n, v);
  }
}

void add_rows(const float* a, const float* b, float* y, int64_t n) {
  for (int64_t i = 0; i < n; i += kW) put(y, i, n, add(get(a, i, n), get(b, i, n)));
}

void multiply_rows(const float* a, const float* b, float* y, int64_t n) {
  for (int64_t i = 0; i < n; i += kW) put(y, i, n, mul(get(a, i, n), get(b, i, n)));
}

void scale_row(const float* x, float factor, float* y, int64_t n) {
  for (int64_t i = 0; i < n; i += kW) put(y, i, n, mul(get(x, i, n), set1(factor)));
}

void add_scaled(const float* x, float factor, float* y, int64_t n) {
  for (int64_t i = 0; i < n; i += kW) put(y, i, n, fma(get(x, i, n), set1(factor), get(y, i, n)));
}

void softcap(const float* x, float cap, float* y, int64_t n) {
  const F c = set1(cap), inverse = set1(1.0f / cap);
  for (int64_t i = 0; i < n; i += kW) put(y, i, n, mul(c, tanh(mul(get(x, i, n), inverse))));
}

void softmax(const float* x, float* y, int64_t n) {
  if (n <= 0) return;
  F high = set1(x[0]);
  int64_t i = 0;
  for (; i + kW <= n; i += kW) high = max(high, load(x + i));
  float top = largest(high);
  for (; i < n; ++i) top = x[i] > top ? x[i] : top;
  const F t = set1(top);
  F total = zero();
  float rest = 0;
  for (i = 0; i < n; i += kW) {
    const F p = exp(sub(get(x, i, n), t));
    put(y, i, n, p);
    if (i + kW <= n) {
      total = add(total, p);
    } else {
      for (int64_t j = i; j < n; ++j) rest += y[j];
    }
  }
  scale_row(y, 1.0f / (sum(total) + rest), y, n);
}

void rope(RopeLayout layout, float* x, const float* cos, const float* sin, int64_t pairs) {
  if (layout == RopeLayout::half) {
    for (int64_t j = 0; j < pairs; j += kW) {
      const F a = get(x, j, pairs), b = get(x + pairs, j, pairs);
      const F c = get(cos, j, pairs), s = get(sin, j, pairs);
      put(x, j, pairs, fnma(b, s, mul(a, c)));
      put(x + pairs, j, pairs, fma(a, s, mul(b, c)));
    }
    return;
  }
  for (int64_t j = 0; j < pairs; j += kW) {
    F a, b, low, high;
    split_pairs(get(x, 2 * j, 2 * pairs),
                2 * j + kW < 2 * pairs ? get(x, 2 * j + kW, 2 * pairs) : zero(), &a, &b);
    const F c = get(cos, j, pairs), s = get(sin, j, pairs);
    join_pairs(fnma(b, s, mul(a, c)), fma(a, s, mul(b, c)), &low, &high);
    put(x, 2 * j, 2 * pairs, low);
    if (2 * j + kW < 2 * pairs) put(x, 2 * j + kW, 2 * pairs, high);
  }
}

/// Whole blocks of 32 as q8_0: a float16 scale, then bytes.
void store_q8_0(const float* x, std::byte* out, int64_t n) {
  for (int64_t i = 0; i < n; i += 32, out += 34) {
    F high = zero();
    for (int64_t j = 0; j < 32; j += kW) high = max(high, abs(load(x + i + j)));
    const float top = largest(high);
    store_f16_n(out, set1(top / 127.0f), 1);
    const F inverse = set1(top > kQ8Smallest ? 127.0f / top : 0.0f);
    for (int64_t j = 0; j < 32; j += kW)
      store_int8(reinterpret_cast<int8_t*>(out) + 2 + j, round(mul(load(x + i + j), inverse)));
  }
}

void store_row(Format state, const float* x, std::byte* out, int64_t n) {
  if (state == Format::q8_0) return store_q8_0(x, out, n);
  if (state == Format::f32) {
    __builtin_memcpy(out, x, static_cast<size_t>(n) * 4);
    return;
  }
  int64_t i = 0;
  if (state == Format::f16) {
    for (; i + kW <= n; i += kW) store_f16(out + 2 * i, load(x + i));
    if (i < n) store_f16_n(out + 2 * i, load_n(x + i, n - i), n - i);
  } else {
    for (; i + kW <= n; i += kW) store_bf16(out + 2 * i, load(x + i));
    if (i < n) store_bf16_n(out + 2 * i, load_n(x + i, n - i), n - i);
  }
}
