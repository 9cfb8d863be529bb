// Digits in groups of three, and three digits with a unit.
#include "base/units.h"

#include <fmt/format.h>

#include <cmath>
#include <initializer_list>
#include <string_view>

namespace ashlar {
namespace {

std::string three_digits(double n) {
  const double a = std::abs(n);
  return a >= 100  ? fmt::format("{:.0f}", n)
         : a >= 10 ? fmt::format("{:.1f}", n)
                   : fmt::format("{:.2f}", n);
}

/// n / step^k with the k-th unit, the largest that leaves at least 1.
std::string scaled(double n, double step, std::initializer_list<std::string_view> units) {
  size_t k = 0;
  // 999.5 of a unit would print as 1000 of it.
  while (k + 1 < units.size() && std::abs(n) >= step * 0.9995) n /= step, ++k;
  if (k == 0 && n == std::floor(n)) return fmt::format("{:.0f}{}", n, *units.begin());
  return three_digits(n) + std::string(units.begin()[k]);
}

}  // namespace

std::string grouped(int64_t n) {
  std::string digits = std::to_string(n);
  const int64_t first = n < 0 ? 1 : 0;
  for (auto at = static_cast<int64_t>(digits.size()) - 3; at > first; at -= 3)
    digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

std::string short_number(double n) { return scaled(n, 1000, {"", "K", "M", "B", "T", "P", "E"}); }

std::string short_bytes(double bytes) {
  return scaled(bytes, 1024, {" B", " KiB", " MiB", " GiB", " TiB", " PiB"});
}

std::string short_seconds(double s) {
  if (s < 1) return scaled(s * 1e9, 1000, {" ns", " us", " ms", " s"});
  if (s < 60) return three_digits(s) + " s";
  if (s < 3600) return three_digits(s / 60) + " min";
  return s < 86400 ? three_digits(s / 3600) + " h" : three_digits(s / 86400) + " d";
}

}  // namespace ashlar
