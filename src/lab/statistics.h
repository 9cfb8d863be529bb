// What few seeds can say: means, intervals of paired differences, and the least difference they
// could have shown.
#pragma once

#include <span>

#include "lab/experiment.h"

namespace ashlar::lab {

double mean(std::span<const double> x);
/// Of a sample: divided by n - 1. 0 for fewer than two.
double deviation(std::span<const double> x);
double median(std::span<const double> x);
/// Of durations: the one that a tenth of them do not reach. Other work on the machine makes
/// durations longer and none shorter.
double fastest_tenth(std::span<const double> seconds);

/// x with P(T < x) = p for Student's distribution of `freedom` degrees, found by bisection of the
/// incomplete beta function.
double student_quantile(double p, double freedom);

struct Interval {
  double mean = 0, low = 0, high = 0;
  int64_t count = 0;
  /// The least true difference that as many seeds with this spread show in four of five tries, at
  /// two-sided 5 %: (t.975 + t.8) s / sqrt(n). Infinite for fewer than two.
  double smallest_detectable = 0;
};

/// The 95 % interval of the mean; low and high are infinite for fewer than two values.
Interval interval_of(std::span<const double> differences);

enum class Verdict : uint8_t { confirmed, refuted, inconclusive, missing };
ASHLAR_NAMES(Verdict, confirmed, refuted, inconclusive, missing);

/// By the rule that stands at Criterion. `missing` where there is no difference at all.
Verdict verdict_of(const Criterion& criterion, const Interval& difference);

/// How many differences lie below and above a number, and how likely so uneven a split is where
/// both are as likely: the two-sided sign test (binomial). Those equal to it count for neither.
struct Signs {
  int64_t below = 0, above = 0;
  double p = 1;
};
Signs signs_of(std::span<const double> differences, double number);

/// The same rule of the sign test about -size (lower) or size (higher).
Verdict verdict_of(const Criterion& criterion, const Signs& signs);

}  // namespace ashlar::lab
