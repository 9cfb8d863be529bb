// Activations and their slopes on one number, for the ops that use them.
#pragma once

#include <cmath>
#include <cstdint>

#include "graph/scalar_types.h"

namespace ashlar {

/// f(x) and f'(x). The counts of operations are those of the functions below.
template <class F>
struct Slope {
  F value, slope;
};

constexpr int64_t kSigmoidSlopeOperations = 5;
template <class F>
Slope<F> sigmoid_slope(F x) {
  using std::exp;
  const F s = F(1) / (F(1) + exp(-x));
  return {s, s * (F(1) - s)};
}

constexpr int64_t kSiluSlopeOperations = 8;
template <class F>
Slope<F> silu_slope(F x) {
  using std::exp;
  const F s = F(1) / (F(1) + exp(-x));
  return {x * s, s * (F(1) + x * (F(1) - s))};
}

constexpr int64_t kGeluSlopeOperations = 18;
template <class F>
Slope<F> gelu_tanh_slope(F x) {
  using std::tanh;
  const F c = F(0.7978845608028654), cubic = F(0.044715) * x * x;
  const F t = tanh(c * (x + cubic * x)), half = F(0.5) * (F(1) + t);
  return {half * x, half + F(0.5) * x * (F(1) - t * t) * (c * (F(1) + F(3) * cubic))};
}

/// One operation, as all functions of a counted number (graph/scalar_types.h).
inline Counted erf(Counted a) {
  ++Counted::operations;
  return Counted(std::erf(a.value));
}

/// x times the normal distribution function; its slope holds that and the density.
constexpr int64_t kExactGeluSlopeOperations = 11;
template <class F>
Slope<F> gelu_slope(F x) {
  using std::erf;
  using std::exp;
  const F below = F(0.5) * (F(1) + erf(x * F(0.7071067811865476)));
  return {x * below, below + x * (F(0.3989422804014327) * exp(F(-0.5) * x * x))};
}

}  // namespace ashlar
