// Numbers of a difference, compared as numbers.
#include "blueprint/rounding.h"

#include <cmath>

#include "base/json.h"

namespace ashlar {
namespace {

bool alike(const Json& a, const Json& b, double share) {
  if (a.is_number() && b.is_number()) {
    const double x = a.get<double>(), y = b.get<double>();
    return std::abs(x - y) <= share * std::max(std::abs(x), std::abs(y));
  }
  if (!a.is_array() || !b.is_array() || a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!alike(a[i], b[i], share)) return false;
  }
  return true;
}

}  // namespace

bool rounded_alike(const Difference& d, double share) {
  const Json a = Json::parse(d.a, nullptr, false), b = Json::parse(d.b, nullptr, false);
  return alike(a, b, share);
}

}  // namespace ashlar
