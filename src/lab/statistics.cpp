// Student's distribution by the continued fraction of the incomplete beta function.
#include "lab/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace ashlar::lab {
namespace {

/// I_x(a, b), Lentz's method on the continued fraction (Press et al., Numerical Recipes, 6.4).
double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incomplete_beta(b, a, 1 - x);
  const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) +
                                a * std::log(x) + b * std::log1p(-x)) /
                       a;
  constexpr double kTiny = 1e-300;
  constexpr int kMost = 500;
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::abs(d) < kTiny ? kTiny : d);
  double sum = d;
  for (int m = 1; m <= kMost; ++m) {
    const auto k = static_cast<double>(m);
    for (const double term : {k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k)),
                              -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1))}) {
      d = 1 + term * d;
      d = 1 / (std::abs(d) < kTiny ? kTiny : d);
      c = 1 + term / c;
      if (std::abs(c) < kTiny) c = kTiny;
      sum *= c * d;
    }
    if (std::abs(c * d - 1) < 1e-15) break;
  }
  return front * sum;
}

double student_below(double x, double freedom) {
  const double tail = 0.5 * incomplete_beta(freedom / 2, 0.5, freedom / (freedom + x * x));
  return x > 0 ? 1 - tail : tail;
}

}  // namespace

double mean(std::span<const double> x) {
  double sum = 0;
  for (const double v : x) sum += v;
  return x.empty() ? 0 : sum / static_cast<double>(x.size());
}

double deviation(std::span<const double> x) {
  if (x.size() < 2) return 0;
  const double m = mean(x);
  double sum = 0;
  for (const double v : x) sum += (v - m) * (v - m);
  return std::sqrt(sum / static_cast<double>(x.size() - 1));
}

double median(std::span<const double> x) {
  if (x.empty()) return 0;
  std::vector<double> sorted(x.begin(), x.end());
  std::sort(sorted.begin(), sorted.end());
  const size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

double fastest_tenth(std::span<const double> x) {
  if (x.empty()) return 0;
  std::vector<double> sorted(x.begin(), x.end());
  const auto at = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 10);
  std::nth_element(sorted.begin(), at, sorted.end());
  return *at;
}

double student_quantile(double p, double freedom) {
  double low = -1, high = 1;
  while (student_below(low, freedom) > p) low *= 2;
  while (student_below(high, freedom) < p) high *= 2;
  for (int i = 0; i < 200 && high - low > 1e-13 * std::max(1.0, std::abs(high)); ++i) {
    const double middle = (low + high) / 2;
    (student_below(middle, freedom) < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

Interval interval_of(std::span<const double> differences) {
  Interval r{.mean = mean(differences), .count = static_cast<int64_t>(differences.size())};
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  if (differences.size() < 2) {
    r.low = -kInfinite;
    r.high = kInfinite;
    r.smallest_detectable = kInfinite;
    return r;
  }
  const auto n = static_cast<double>(differences.size());
  const double error = deviation(differences) / std::sqrt(n);
  const double wide = student_quantile(0.975, n - 1), power = student_quantile(0.8, n - 1);
  r.low = r.mean - wide * error;
  r.high = r.mean + wide * error;
  r.smallest_detectable = (wide + power) * error;
  return r;
}

Verdict verdict_of(const Criterion& c, const Interval& d) {
  if (d.count == 0) return Verdict::missing;
  if (c.direction == Direction::equal) {
    if (d.low > -c.size && d.high < c.size) return Verdict::confirmed;
    return d.low > c.size || d.high < -c.size ? Verdict::refuted : Verdict::inconclusive;
  }
  // "Lower" is "higher" with the sides exchanged.
  const bool lower = c.direction == Direction::lower;
  const double low = lower ? -d.high : d.low, high = lower ? -d.low : d.high;
  return low > c.size    ? Verdict::confirmed
         : high < c.size ? Verdict::refuted
                         : Verdict::inconclusive;
}

Signs signs_of(std::span<const double> differences, double number) {
  Signs s;
  for (const double d : differences) {
    s.below += d < number ? 1 : 0;
    s.above += d > number ? 1 : 0;
  }
  // P(X >= k) of a binomial of n and 1/2 is I_{1/2}(k, n - k + 1).
  const auto most = static_cast<double>(std::max(s.below, s.above));
  const auto least = static_cast<double>(std::min(s.below, s.above));
  if (most > 0) s.p = std::min(1.0, 2 * incomplete_beta(most, least + 1, 0.5));
  return s;
}

Verdict verdict_of(const Criterion& c, const Signs& s) {
  if (s.below + s.above == 0) return Verdict::missing;
  if (s.p > 0.05) return Verdict::inconclusive;
  return (s.below > s.above) == (c.direction == Direction::lower) ? Verdict::confirmed
                                                                  : Verdict::refuted;
}

}  // namespace ashlar::lab
