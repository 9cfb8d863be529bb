// The scalars that an op's meaning runs with: float (oracle), double (gradient checks), Counted
// (FLOP audit).
#pragma once

#include <cmath>
#include <cstdint>

namespace ashlar {

/// A double that counts what is done to it: every +, -, *, / and every function (exp, tanh, sqrt,
/// ...) is one operation, so a multiply-add is two. Comparisons and conversions are free.
/// docs/counting.md.
class Counted {
 public:
  Counted() = default;
  Counted(double v) : value(v) {}  // implicit on purpose: constants mix with counted values
  double value = 0;
  static inline thread_local int64_t operations = 0;

  friend Counted operator+(Counted a, Counted b) { return one(a.value + b.value); }
  friend Counted operator-(Counted a, Counted b) { return one(a.value - b.value); }
  friend Counted operator*(Counted a, Counted b) { return one(a.value * b.value); }
  friend Counted operator/(Counted a, Counted b) { return one(a.value / b.value); }
  friend Counted operator-(Counted a) { return Counted(-a.value); }
  Counted& operator+=(Counted b) { return *this = *this + b; }
  Counted& operator-=(Counted b) { return *this = *this - b; }
  Counted& operator*=(Counted b) { return *this = *this * b; }
  Counted& operator/=(Counted b) { return *this = *this / b; }
  friend bool operator<(Counted a, Counted b) { return a.value < b.value; }
  friend bool operator>(Counted a, Counted b) { return a.value > b.value; }
  friend Counted exp(Counted a) { return one(std::exp(a.value)); }
  friend Counted log(Counted a) { return one(std::log(a.value)); }
  friend Counted tanh(Counted a) { return one(std::tanh(a.value)); }
  friend Counted sqrt(Counted a) { return one(std::sqrt(a.value)); }

 private:
  static Counted one(double v) {
    ++operations;
    return Counted(v);
  }
};

/// What an op computes in between reading F and writing F: sums, exponentials and differences of
/// near numbers cost a float its last digits, so they are taken in double. An op then adds no error
/// but the rounding of its results.
template <class F>
struct WideOf {
  using type = F;
};
template <>
struct WideOf<float> {
  using type = double;
};
template <class F>
using Wide = typename WideOf<F>::type;

inline double value_of(float v) { return v; }
inline double value_of(double v) { return v; }
inline double value_of(Counted v) { return v.value; }

}  // namespace ashlar
