// Digits in groups of three, and three digits with a unit.
#include "base/units.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
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
template <size_t N>
std::string scaled(double n, double step, const std::array<std::string_view, N>& units) {
  size_t k = 0;
  // 999.5 of a unit would print as 1000 of it.
  while (k + 1 < N && std::abs(n) >= step * 0.9995) n /= step, ++k;
  if (k == 0 && n == std::floor(n)) return fmt::format("{:.0f}{}", n, units[0]);
  return three_digits(n) + std::string(units[k]);
}

}  // namespace

std::string grouped(int64_t n) {
  std::string digits = std::to_string(n);
  const int64_t first = n < 0 ? 1 : 0;
  for (auto at = static_cast<int64_t>(digits.size()) - 3; at > first; at -= 3)
    digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

std::string short_number(double n) {
  return scaled(n, 1000, std::array<std::string_view, 7>{"", "K", "M", "B", "T", "P", "E"});
}

std::string short_bytes(double bytes) {
  return scaled(bytes, 1024,
                std::array<std::string_view, 6>{" B", " KiB", " MiB", " GiB", " TiB", " PiB"});
}

std::string short_seconds(double s) {
  if (s < 60) {
    return s >= 1
               ? three_digits(s) + " s"
               : scaled(s * 1e9, 1000, std::array<std::string_view, 4>{" ns", " us", " ms", " s"});
  }
  if (s < 3600) return three_digits(s / 60) + " min";
  return s < 86400 ? three_digits(s / 3600) + " h" : three_digits(s / 86400) + " d";
}

}  // namespace ashlar
