// The loops of likelihood.h, compiled once per instruction set: groups of kTogether blocks, eight
// lanes for each. The including region has load (lanes of a group to a vector), part (the lanes of
// one block), and kChains, the vectors that go through a long chain of operations side by side.

constexpr int64_t kBlock = kLikelihoodBlock, kGroup = kTogether * kBlock;
constexpr int64_t kVectors = kBlock / 8;
constexpr float kNone = -__builtin_inff();

__attribute__((noinline)) void fill_up(const float* x, int64_t left, float fill, float* padded) {
  for (int64_t i = 0; i < kGroup; ++i) padded[i] = i < left ? x[i] : fill;
}

/// The group from number i of x on: in place, or the last one's copy in `padded`, filled up.
ASHLAR_INLINE const float* group_at(const float* x, int64_t n, int64_t i, float fill,
                                    float* padded) {
  if (__builtin_expect(n - i >= kGroup, 1)) return x + i;
  fill_up(x + i, n - i, fill, padded);
  return padded;
}

/// Eight lanes that each have added up a block's eight numbers.
ASHLAR_INLINE double sum_of(const F8& v) {
  const F4 a = {v[0], v[1], v[2], v[3]}, b = {v[4], v[5], v[6], v[7]};
  const D4 s = __builtin_convertvector(a, D4) + __builtin_convertvector(b, D4);
  return (s[0] + s[2]) + (s[1] + s[3]);
}

ASHLAR_INLINE int64_t sum_of(const I& c) {
  int64_t sum = 0;
  for (int i = 0; i < 8 * kTogether; ++i) sum += c[i];
  return sum;
}

void maxima(const float* x, int64_t n, float* out) {
  float padded[kGroup];
  for (int64_t g = 0; g < n; g += kGroup) {
    const float* p = group_at(x, n, g, kNone, padded);
    F most = F{} + kNone;
    for (int64_t j = 0; j < kVectors; ++j) {
      F v;
      load(p + 8 * j, v);
      most = v > most ? v : most;
    }
    for (int k = 0; k < kTogether && g + k * kBlock < n; ++k) {
      const F8 lanes = part(most, k);
      float all = lanes[0];
      for (int i = 1; i < 8; ++i) all = lanes[i] > all ? lanes[i] : all;
      *out++ = all;
    }
  }
}

/// p[i] = 2^f[i] for |f[i]| <= 1/2: the Taylor series to f^7.
ASHLAR_INLINE void powers_of_two(const F* f, F* p) {
  constexpr float kTerms[] = {1.54035304e-4f,
                              1.33335581e-3f,
                              9.61812911e-3f,
                              5.55041087e-2f,
                              2.40226507e-1f,
                              6.93147181e-1f,
                              1.0f};
  for (int i = 0; i < kChains; ++i) p[i] = f[i] * 1.52527338e-5f + kTerms[0];
  for (int t = 1; t < 7; ++t)
    for (int i = 0; i < kChains; ++i) p[i] = p[i] * f[i] + kTerms[t];
}

void likelihoods(const float* x, int64_t n, float most, float scale, float least, float* e,
                 double* sums) {
  constexpr float kLeastPower = -41, kFarBelow = -64;
  constexpr float kRounds =
      12582912;  // 1.5 * 2^23: adding it leaves a whole number in the low bits
  float padded[kGroup], made[kGroup];
  for (int64_t g = 0; g < n; g += kGroup) {
    const float* p = group_at(x, n, g, kNone, padded);
    float* out = n - g >= kGroup ? e + g : made;
    F sum = {};
    for (int64_t j = 0; j < kVectors; j += kChains) {
      F y[kChains], rest[kChains], power[kChains];
      I whole[kChains];
      for (int i = 0; i < kChains; ++i) {
        load(p + 8 * (j + i), y[i]);
        y[i] = (y[i] - most) * scale;
        y[i] = y[i] > kFarBelow ? y[i] : F{} + kFarBelow;  // a NaN too
        const F rounded = y[i] + kRounds;
        whole[i] = (I)rounded - (I)(F{} + kRounds);
        rest[i] = y[i] - (rounded - kRounds);
      }
      powers_of_two(rest, power);
      for (int i = 0; i < kChains; ++i) {
        const F v = (F)((I)power[i] + (whole[i] << 23));
        const I kept = (y[i] >= kLeastPower) & (v >= least);
        const F result = (F)((I)v & kept);
        for (int k = 0; k < kTogether; ++k) {
          const F8 lanes = part(result, k);
          __builtin_memcpy(out + k * kBlock + 8 * (j + i), &lanes, sizeof lanes);
        }
        sum += result;
      }
    }
    for (int64_t i = g; out == made && i < n; ++i) e[i] = made[i - g];
    for (int k = 0; k < kTogether && g + k * kBlock < n; ++k) *sums++ = sum_of(part(sum, k));
  }
}

int64_t count(const float* x, int64_t n, float t) {
  float padded[kGroup];
  I counts = {};
  for (int64_t g = 0; g < n; g += kGroup) {
    const float* p = group_at(x, n, g, __builtin_nanf(""), padded);
    for (int64_t j = 0; j < kVectors; ++j) {
      F v;
      load(p + 8 * j, v);
      counts -= v >= t;
    }
  }
  return sum_of(counts);
}

int64_t mass(const float* x, int64_t n, float t, double* sum) {
  float padded[kGroup];
  I counts = {};
  *sum = 0;
  for (int64_t g = 0; g < n; g += kGroup) {
    const float* p = group_at(x, n, g, __builtin_nanf(""), padded);
    F sums = {};
    for (int64_t j = 0; j < kVectors; ++j) {
      F v;
      load(p + 8 * j, v);
      const I in = v >= t;
      counts -= in;
      sums += (F)((I)v & in);
    }
    for (int k = 0; k < kTogether; ++k) *sum += sum_of(part(sums, k));
  }
  return sum_of(counts);
}

void split(const float* x, int64_t n, float from, float to, double* sums, int32_t* between) {
  float padded[kGroup];
  for (int64_t g = 0; g < n; g += kGroup) {
    const float* p = group_at(x, n, g, __builtin_nanf(""), padded);
    I counts = {};
    F sum = {};
    for (int64_t j = 0; j < kVectors; ++j) {
      F v;
      load(p + 8 * j, v);
      const I above = v >= to;
      counts -= (v >= from) & ~above;
      sum += (F)((I)v & above);
    }
    for (int k = 0; k < kTogether && g + k * kBlock < n; ++k) {
      *sums++ = sum_of(part(sum, k));
      int32_t all = 0;
      for (int i = 8 * k; i < 8 * k + 8; ++i) all += counts[i];
      *between++ = all;
    }
  }
}

void keep(const float* x, int64_t n, float t, float* out) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    F8 v;
    __builtin_memcpy(&v, x + i, sizeof v);
    v = v >= t ? v : F8{} + kNone;
    __builtin_memcpy(out + i, &v, sizeof v);
  }
  for (; i < n; ++i) out[i] = x[i] >= t ? x[i] : kNone;
}

constexpr LikelihoodLoops kLoops = {maxima, likelihoods, count, mass, split, keep};
