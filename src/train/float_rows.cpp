// One set of loops, compiled for each instruction set; the compiler turns fixed lanes into vectors.
#include "train/float_rows.h"

#include <bit>
#include <cmath>

#include "kernels/target.h"

// Results may lie where inputs do, number by number: no iteration reads what another wrote.
#if defined(__clang__)
#define ASHLAR_EACH _Pragma("clang loop vectorize(assume_safety)")
#else
#define ASHLAR_EACH _Pragma("GCC ivdep")
#endif

namespace ashlar {
namespace {

constexpr int64_t kLanes = 16;
/// So many numbers are added up in float32 before their sum is added in double.
constexpr int64_t kBlock = 512;

/// exp to about one unit of the last digit; 0 below and no infinity above float32's range.
ASHLAR_INLINE float exp_of(float x) {
  constexpr float kLow = -87.0f, kHigh = 88.0f, kLog2e = 1.44269504088896341f;
  constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  const float clamped = x < kLow ? kLow : x > kHigh ? kHigh : x;
  const float shifted = clamped * kLog2e + kRounder;
  const float n = shifted - kRounder;
  const float r = clamped - n * kLn2High - n * kLn2Low;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int32_t exponent =
      (std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(kRounder) + 127) << 23;
  return p * std::bit_cast<float>(exponent);
}

ASHLAR_INLINE float sigmoid_of(float x) { return 1.0f / (1.0f + exp_of(-x)); }
ASHLAR_INLINE float tanh_of(float x) { return 1.0f - 2.0f / (1.0f + exp_of(2.0f * x)); }

/// sum of f(i) over [0, n), in lanes of float32 and blocks of double.
template <class F>
ASHLAR_INLINE double sum_of(int64_t n, const F& f) {
  double sum = 0;
  int64_t i = 0;
  while (i + kLanes <= n) {
    float lanes[kLanes] = {};
    const int64_t end = n - i < kBlock ? n - (n - i) % kLanes : i + kBlock;
    for (; i < end; i += kLanes) {
      for (int64_t l = 0; l < kLanes; ++l) lanes[l] += f(i + l);
    }
    for (int64_t l = 0; l < kLanes; ++l) sum += static_cast<double>(lanes[l]);
  }
  for (; i < n; ++i) sum += static_cast<double>(f(i));
  return sum;
}

/// Whole numbers in the order of floats, a NaN at an end: compilers find the largest of them, but not
/// of floats, with vectors.
ASHLAR_INLINE int32_t order_of(int32_t bits) { return bits ^ ((bits >> 31) & INT32_MAX); }

ASHLAR_INLINE float largest_of(const float* z, int64_t n) {
  int32_t most = INT32_MIN;
  for (int64_t i = 0; i < n; ++i) {
    const int32_t x = order_of(std::bit_cast<int32_t>(z[i]));
    most = x > most ? x : most;
  }
  return std::bit_cast<float>(order_of(most));
}

/// The place of the first number that equals `value`; 0 where none does.
ASHLAR_INLINE int32_t first_place_of(float value, const float* x, int64_t n) {
  auto place = static_cast<int32_t>(n);
  for (int32_t i = 0; i < static_cast<int32_t>(n); ++i) {
    const int32_t here = x[i] == value ? i : static_cast<int32_t>(n);
    place = here < place ? here : place;
  }
  return place < n ? place : 0;
}

ASHLAR_INLINE double reciprocal_rms(const float* x, int64_t n, double eps) {
  const double squares = sum_of(n, [=](int64_t i) { return x[i] * x[i]; });
  return 1 / std::sqrt(squares / static_cast<double>(n) + eps);
}

ASHLAR_INLINE void rms_norm_body(const float* x, const float* w, float* y, int64_t n, double eps) {
  const auto r = static_cast<float>(reciprocal_rms(x, n, eps));
  if (w == nullptr) {
    for (int64_t i = 0; i < n; ++i) y[i] = x[i] * r;
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = x[i] * r * w[i];
  }
}

ASHLAR_INLINE void rms_norm_grad_body(const float* x, const float* dy, const float* w, float* dx,
                                      float* dw, int64_t n, double eps) {
  const double r = reciprocal_rms(x, n, eps);
  const auto rf = static_cast<float>(r);
  if (w == nullptr) {
    const double product = sum_of(n, [=](int64_t i) { return dy[i] * x[i]; });
    const auto c = static_cast<float>(r * r * r * product / static_cast<double>(n));
    ASHLAR_EACH
    for (int64_t i = 0; i < n; ++i) dx[i] = rf * dy[i] - c * x[i];
    return;
  }
  const double product = sum_of(n, [=](int64_t i) { return dy[i] * w[i] * x[i]; });
  const auto c = static_cast<float>(r * r * r * product / static_cast<double>(n));
  ASHLAR_EACH
  for (int64_t i = 0; i < n; ++i) dw[i] += dy[i] * x[i] * rf;
  ASHLAR_EACH
  for (int64_t i = 0; i < n; ++i) dx[i] = rf * (dy[i] * w[i]) - c * x[i];
}

struct Moments {
  float mean = 0, r = 0;  // r: 1 / deviation
};
ASHLAR_INLINE Moments moments_of(const float* x, int64_t n, double eps) {
  const auto count = static_cast<double>(n);
  const auto mean = static_cast<float>(sum_of(n, [=](int64_t i) { return x[i]; }) / count);
  const double squares =
      sum_of(n, [=](int64_t i) { return (x[i] - mean) * (x[i] - mean); }) / count;
  return {mean, static_cast<float>(1 / std::sqrt(squares + eps))};
}

ASHLAR_INLINE void layer_norm_body(const float* x, const float* w, const float* b, float* y,
                                   int64_t n, double eps) {
  const Moments m = moments_of(x, n, eps);
  if (b == nullptr) {
    for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - m.mean) * m.r * w[i];
    return;
  }
  for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - m.mean) * m.r * w[i] + b[i];
}

ASHLAR_INLINE void layer_norm_grad_body(const float* x, const float* dy, const float* w, float* dx,
                                        float* dw, float* db, int64_t n, double eps) {
  const Moments m = moments_of(x, n, eps);
  const auto count = static_cast<double>(n);
  const auto mean_g =
      static_cast<float>(sum_of(n, [=](int64_t i) { return dy[i] * w[i]; }) / count);
  const auto mean_gh = static_cast<float>(
      sum_of(n, [=](int64_t i) { return dy[i] * w[i] * ((x[i] - m.mean) * m.r); }) / count);
  ASHLAR_EACH
  for (int64_t i = 0; i < n; ++i) dw[i] += dy[i] * ((x[i] - m.mean) * m.r);
  ASHLAR_EACH
  for (int64_t i = 0; i < n; ++i) db[i] += dy[i];
  ASHLAR_EACH
  for (int64_t i = 0; i < n; ++i) {
    const float h = (x[i] - m.mean) * m.r;
    dx[i] = m.r * (dy[i] * w[i] - mean_g - h * mean_gh);
  }
}

ASHLAR_INLINE void silu_body(const float* x, float* y, int64_t n) {
  ASHLAR_EACH
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * sigmoid_of(x[i]);
}
ASHLAR_INLINE void silu_grad_body(const float* x, const float* dy, float* dx, int64_t n) {
  ASHLAR_EACH
  for (int64_t i = 0; i < n; ++i) {
    const float s = sigmoid_of(x[i]);
    dx[i] = dy[i] * s * (1.0f + x[i] * (1.0f - s));
  }
}
constexpr float kRoot = 0.7978845608028654f, kCube = 0.044715f;  // of gelu_tanh
ASHLAR_INLINE void gelu_tanh_body(const float* x, float* y, int64_t n) {
  ASHLAR_EACH
  for (int64_t i = 0; i < n; ++i)
    y[i] = 0.5f * x[i] * (1.0f + tanh_of(kRoot * (x[i] + kCube * x[i] * x[i] * x[i])));
}
ASHLAR_INLINE void gelu_tanh_grad_body(const float* x, const float* dy, float* dx, int64_t n) {
  ASHLAR_EACH
  for (int64_t i = 0; i < n; ++i) {
    const float t = tanh_of(kRoot * (x[i] + kCube * x[i] * x[i] * x[i]));
    const float inner = kRoot * (1.0f + 3.0f * kCube * x[i] * x[i]);
    dx[i] = dy[i] * (0.5f * (1.0f + t) + 0.5f * x[i] * (1.0f - t * t) * inner);
  }
}

ASHLAR_INLINE void silu_gated_body(const float* gate, const float* up, float* y, int64_t n) {
  ASHLAR_EACH
  for (int64_t i = 0; i < n; ++i) y[i] = gate[i] * sigmoid_of(gate[i]) * up[i];
}
ASHLAR_INLINE void silu_gated_grad_body(const float* gate, const float* up, const float* dy,
                                        float* dgate, float* dup, int64_t n) {
  ASHLAR_EACH
  for (int64_t i = 0; i < n; ++i) {
    const float g = gate[i], s = sigmoid_of(g), d = dy[i], u = up[i];
    dgate[i] = d * u * s * (1.0f + g * (1.0f - s));
    dup[i] = d * g * s;
  }
}
ASHLAR_INLINE void gelu_tanh_gated_body(const float* gate, const float* up, float* y, int64_t n) {
  ASHLAR_EACH
  for (int64_t i = 0; i < n; ++i) {
    const float g = gate[i];
    y[i] = 0.5f * g * (1.0f + tanh_of(kRoot * (g + kCube * g * g * g))) * up[i];
  }
}
ASHLAR_INLINE void gelu_tanh_gated_grad_body(const float* gate, const float* up, const float* dy,
                                             float* dgate, float* dup, int64_t n) {
  ASHLAR_EACH
  for (int64_t i = 0; i < n; ++i) {
    const float g = gate[i], d = dy[i], u = up[i];
    const float t = tanh_of(kRoot * (g + kCube * g * g * g));
    const float inner = kRoot * (1.0f + 3.0f * kCube * g * g);
    dgate[i] = d * u * (0.5f * (1.0f + t) + 0.5f * g * (1.0f - t * t) * inner);
    dup[i] = d * (0.5f * g * (1.0f + t));
  }
}
ASHLAR_INLINE double dot_body(const float* x, const float* y, int64_t n) {
  return sum_of(n, [=](int64_t i) { return x[i] * y[i]; });
}
ASHLAR_INLINE double squares_body(const float* x, int64_t n) {
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t l = 0; l < kLanes; ++l)
      lanes[l] += static_cast<double>(x[i + l]) * static_cast<double>(x[i + l]);
  }
  double sum = 0;
  for (; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  for (int64_t l = 0; l < kLanes; ++l) sum += lanes[l];
  return sum;
}
ASHLAR_INLINE void adamw_body(const AdamwFactors& f, float* w, float* m, float* v, const float* g,
                              int64_t n) {
  const AdamwFactors a = f;  // nothing written here is among them
  ASHLAR_EACH
  for (int64_t i = 0; i < n; ++i) {
    const float gi = g[i] * a.gradient;
    const float wi = a.towards + (w[i] - a.towards) * a.keep;
    const float mi = m[i] + (gi - m[i]) * a.rest1;
    const float vi = v[i] * a.beta2 + a.rest2 * gi * gi;
    m[i] = mi;
    v[i] = vi;
    w[i] = wi - a.step * (mi / (__builtin_sqrtf(vi) / a.correction2 + a.eps));
  }
}

ASHLAR_INLINE double cross_entropy_body(const float* z, int64_t n, int64_t target) {
  const float peak = largest_of(z, n);
  const double sum = sum_of(n, [=](int64_t i) { return exp_of(z[i] - peak); });
  if (target < 0) return std::log(sum) + static_cast<double>(peak);
  return std::log(sum) - (static_cast<double>(z[target]) - static_cast<double>(peak));
}

ASHLAR_INLINE void cross_entropy_grad_body(const float* z, int64_t n, int64_t target, float dl,
                                           float* dz) {
  const float peak = largest_of(z, n);
  ASHLAR_EACH
  for (int64_t i = 0; i < n; ++i) dz[i] = exp_of(z[i] - peak);
  const double sum = sum_of(n, [=](int64_t i) { return dz[i]; });
  const auto r = static_cast<float>(static_cast<double>(dl) / sum);
  ASHLAR_EACH
  for (int64_t i = 0; i < n; ++i) dz[i] *= r;
  if (target >= 0) dz[target] -= dl;
}

ASHLAR_INLINE float softmax_body(float* x, int64_t n, float scale, const float* sink) {
  float peak = largest_of(x, n) * scale;
  if (sink != nullptr && *sink > peak) peak = *sink;
  for (int64_t i = 0; i < n; ++i) x[i] = exp_of(x[i] * scale - peak);
  const double of_sink = sink != nullptr ? static_cast<double>(exp_of(*sink - peak)) : 0;
  const double r = 1 / (sum_of(n, [=](int64_t i) { return x[i]; }) + of_sink);
  const auto rf = static_cast<float>(r);
  for (int64_t i = 0; i < n; ++i) x[i] *= rf;
  return static_cast<float>(of_sink * r);
}

/// dp is counted from that of the likeliest key: where p is almost 1 there, the difference keeps
/// its digits though p does not.
ASHLAR_INLINE double softmax_grad_body(const float* p, float* dp, int64_t n, float scale,
                                       float share) {
  const float at_peak = dp[first_place_of(largest_of(p, n), p, n)];
  const double mean = sum_of(n, [=](int64_t k) { return p[k] * (dp[k] - at_peak); });
  const double of_sink = static_cast<double>(share), from = static_cast<double>(at_peak);
  const auto less = static_cast<float>(mean - from * of_sink);
  for (int64_t k = 0; k < n; ++k) dp[k] = scale * (p[k] * (dp[k] - at_peak - less));
  return -(mean + from * (1 - of_sink)) * of_sink;
}

ASHLAR_INLINE void rotate_body(const float* x, const float* cos, const float* sin, float* y,
                               int64_t pairs) {
  ASHLAR_EACH
  for (int64_t j = 0; j < pairs; ++j) {
    const float a = x[j], b = x[j + pairs];
    y[j] = a * cos[j] - b * sin[j];
    y[j + pairs] = b * cos[j] + a * sin[j];
  }
}

// A function of an instruction set for each of the loops, which it takes in; all of them as a table.
#define ASHLAR_FLOAT_ROWS(suffix, attributes)                                      \
  template <auto body, class F = decltype(body)>                                   \
  struct Row_##suffix;                                                             \
  template <auto body, class R, class... A>                                        \
  struct Row_##suffix<body, R (*)(A...)> {                                         \
    attributes static R run(A... arguments) { return body(arguments...); }         \
  };                                                                               \
  constexpr FloatRows kRows_##suffix{Row_##suffix<rms_norm_body>::run,             \
                                     Row_##suffix<rms_norm_grad_body>::run,        \
                                     Row_##suffix<layer_norm_body>::run,           \
                                     Row_##suffix<layer_norm_grad_body>::run,      \
                                     Row_##suffix<silu_body>::run,                 \
                                     Row_##suffix<silu_grad_body>::run,            \
                                     Row_##suffix<gelu_tanh_body>::run,            \
                                     Row_##suffix<gelu_tanh_grad_body>::run,       \
                                     Row_##suffix<silu_gated_body>::run,           \
                                     Row_##suffix<silu_gated_grad_body>::run,      \
                                     Row_##suffix<gelu_tanh_gated_body>::run,      \
                                     Row_##suffix<gelu_tanh_gated_grad_body>::run, \
                                     Row_##suffix<dot_body>::run,                  \
                                     Row_##suffix<squares_body>::run,              \
                                     Row_##suffix<adamw_body>::run,                \
                                     Row_##suffix<cross_entropy_body>::run,        \
                                     Row_##suffix<cross_entropy_grad_body>::run,   \
                                     Row_##suffix<softmax_body>::run,              \
                                     Row_##suffix<softmax_grad_body>::run,         \
                                     Row_##suffix<rotate_body>::run};

ASHLAR_FLOAT_ROWS(generic, )
#if defined(__x86_64__)
ASHLAR_FLOAT_ROWS(avx2, __attribute__((target("avx2,fma"))))
ASHLAR_FLOAT_ROWS(avx512, __attribute__((target("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq"))))
#endif

}  // namespace

const FloatRows& float_rows(std::string_view table) {
#if defined(__x86_64__)
  if (table.starts_with("avx512") || table == "amx") return kRows_avx512;
  if (table == "avx2") return kRows_avx2;
#endif
  static_cast<void>(table);
  return kRows_generic;
}

}  // namespace ashlar
