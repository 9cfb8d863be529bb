// The loops of likelihood.h over vectors of eight floats, compiled once per instruction set. The
// compiler splits a vector where the CPU's are shorter.

typedef float F8 __attribute__((vector_size(32)));
typedef float F4 __attribute__((vector_size(16)));
typedef int32_t I8 __attribute__((vector_size(32)));
typedef double D4 __attribute__((vector_size(32)));

constexpr int64_t kBlock = kLikelihoodBlock;
constexpr int64_t kVectors = kBlock / 8;
constexpr float kNone = -__builtin_inff();

/// A block of x: in place, or the last one's copy in `padded`, filled up with `fill`.
ASHLAR_INLINE const float* block_of(const float* x, int64_t n, int64_t b, float fill,
                                    float* padded) {
  const int64_t begin = b * kBlock, left = n - begin;
  if (left >= kBlock) return x + begin;
  for (int64_t i = 0; i < kBlock; ++i) padded[i] = i < left ? x[begin + i] : fill;
  return padded;
}

ASHLAR_INLINE int64_t blocks_of(int64_t n) { return (n + kBlock - 1) / kBlock; }

/// Eight lanes that each have added up a block's eight numbers.
ASHLAR_INLINE double sum_of(const F8& v) {
  const F4 a = {v[0], v[1], v[2], v[3]}, b = {v[4], v[5], v[6], v[7]};
  const D4 s = __builtin_convertvector(a, D4) + __builtin_convertvector(b, D4);
  return (s[0] + s[2]) + (s[1] + s[3]);
}

ASHLAR_INLINE int64_t sum_of(const I8& c) {
  int64_t sum = 0;
  for (int i = 0; i < 8; ++i) sum += c[i];
  return sum;
}

void maxima(const float* x, int64_t n, float* out) {
  float padded[kBlock];
  for (int64_t b = 0; b < blocks_of(n); ++b) {
    const float* p = block_of(x, n, b, kNone, padded);
    F8 most = F8{} + kNone;
    for (int64_t j = 0; j < kVectors; ++j) {
      F8 v;
      __builtin_memcpy(&v, p + 8 * j, sizeof v);
      most = v > most ? v : most;
    }
    float all = most[0];
    for (int i = 1; i < 8; ++i) all = most[i] > all ? most[i] : all;
    out[b] = all;
  }
}

/// 2^f for |f| <= 1/2: the Taylor series to f^7.
ASHLAR_INLINE void power_of_two(const F8& f, F8& p) {
  p = f * 1.52527338e-5f + 1.54035304e-4f;
  p = p * f + 1.33335581e-3f;
  p = p * f + 9.61812911e-3f;
  p = p * f + 5.55041087e-2f;
  p = p * f + 2.40226507e-1f;
  p = p * f + 6.93147181e-1f;
  p = p * f + 1.0f;
}

void likelihoods(const float* x, int64_t n, float most, float scale, float least, float* e,
                 double* sums) {
  constexpr float kLeastPower = -41, kFarBelow = -64;
  constexpr float kRounds =
      12582912;  // 1.5 * 2^23: adding it leaves a whole number in the low bits
  float padded[kBlock], made[kBlock];
  for (int64_t b = 0; b < blocks_of(n); ++b) {
    const float* p = block_of(x, n, b, kNone, padded);
    const int64_t left = n - b * kBlock;
    float* out = left >= kBlock ? e + b * kBlock : made;
    F8 sum = {};
    for (int64_t j = 0; j < kVectors; ++j) {
      F8 y;
      __builtin_memcpy(&y, p + 8 * j, sizeof y);
      y = (y - most) * scale;
      y = y > kFarBelow ? y : F8{} + kFarBelow;  // a NaN too
      const F8 rounded = y + kRounds;
      const I8 whole = (I8)rounded - (I8)(F8{} + kRounds);
      F8 power;
      power_of_two(y - (rounded - kRounds), power);
      const F8 v = (F8)((I8)power + (whole << 23));
      const I8 kept = (y >= kLeastPower) & (v >= least);
      const F8 result = (F8)((I8)v & kept);
      __builtin_memcpy(out + 8 * j, &result, sizeof result);
      sum += result;
    }
    for (int64_t i = 0; left < kBlock && i < left; ++i) e[b * kBlock + i] = made[i];
    sums[b] = sum_of(sum);
  }
}

int64_t count(const float* x, int64_t n, float t) {
  float padded[kBlock];
  I8 counts = {};
  for (int64_t b = 0; b < blocks_of(n); ++b) {
    const float* p = block_of(x, n, b, __builtin_nanf(""), padded);
    for (int64_t j = 0; j < kVectors; ++j) {
      F8 v;
      __builtin_memcpy(&v, p + 8 * j, sizeof v);
      counts -= v >= t;
    }
  }
  return sum_of(counts);
}

int64_t mass(const float* x, int64_t n, float t, double* sum) {
  float padded[kBlock];
  I8 counts = {};
  *sum = 0;
  for (int64_t b = 0; b < blocks_of(n); ++b) {
    const float* p = block_of(x, n, b, __builtin_nanf(""), padded);
    F8 part = {};
    for (int64_t j = 0; j < kVectors; ++j) {
      F8 v;
      __builtin_memcpy(&v, p + 8 * j, sizeof v);
      const I8 in = v >= t;
      counts -= in;
      part += (F8)((I8)v & in);
    }
    *sum += sum_of(part);
  }
  return sum_of(counts);
}

void split(const float* x, int64_t n, float from, float to, double* sums, int32_t* between) {
  float padded[kBlock];
  for (int64_t b = 0; b < blocks_of(n); ++b) {
    const float* p = block_of(x, n, b, __builtin_nanf(""), padded);
    I8 counts = {};
    F8 sum = {};
    for (int64_t j = 0; j < kVectors; ++j) {
      F8 v;
      __builtin_memcpy(&v, p + 8 * j, sizeof v);
      const I8 above = v >= to;
      counts -= (v >= from) & ~above;
      sum += (F8)((I8)v & above);
    }
    sums[b] = sum_of(sum);
    between[b] = static_cast<int32_t>(sum_of(counts));
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
