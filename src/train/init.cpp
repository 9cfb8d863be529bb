// Uniform numbers of 53 bits from splitmix64, made normal by the inverse of the normal
// distribution: one number per element, whichever thread draws it, and cut off by drawing from less
// than (0, 1).
#include "train/init.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"

namespace ashlar {
namespace {

/// Where P(X < x) = p for a normal X: Wichura 1988, algorithm AS 241, PPND16.
double normal_quantile(double p) {
  const auto ratio = [](double r, const double(&a)[8], const double(&b)[7]) {
    double top = a[7], bottom = b[6];
    for (int i = 6; i >= 0; --i) top = top * r + a[i];
    for (int i = 5; i >= 0; --i) bottom = bottom * r + b[i];
    return top / (bottom * r + 1);
  };
  static constexpr double kA[8] = {3.3871328727963666080e0, 1.3314166789178437745e2,
                                   1.9715909503065514427e3, 1.3731693765509461125e4,
                                   4.5921953931549871457e4, 6.7265770927008700853e4,
                                   3.3430575583588128105e4, 2.5090809287301226727e3};
  static constexpr double kB[7] = {4.2313330701600911252e1, 6.8718700749205790830e2,
                                   5.3941960214247511077e3, 2.1213794301586595867e4,
                                   3.9307895800092710610e4, 2.8729085735721942674e4,
                                   5.2264952788528545610e3};
  static constexpr double kC[8] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                                   5.76949722146069140550e0,  3.64784832476320460504e0,
                                   1.27045825245236838258e0,  2.41780725177450611770e-1,
                                   2.27238449892691845833e-2, 7.74545014278341407640e-4};
  static constexpr double kD[7] = {2.05319162663775882187e0,  1.67638483018380384940e0,
                                   6.89767334985100004550e-1, 1.48103976427480074590e-1,
                                   1.51986665636164571966e-2, 5.47593808499534494600e-4,
                                   1.05075007164441684324e-9};
  static constexpr double kE[8] = {6.65790464350110377720e0,  5.46378491116411436990e0,
                                   1.78482653991729133580e0,  2.96560571828504891230e-1,
                                   2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                   2.71155556874348757815e-5, 2.01033439929228813265e-7};
  static constexpr double kF[7] = {5.99832206555887937690e-1, 1.36929880922735805310e-1,
                                   1.48753612908506148525e-2, 7.86869131145613259100e-4,
                                   1.84631831751005468180e-5, 1.42151175831644588870e-7,
                                   2.04426310338993978564e-15};
  const double q = p - 0.5;
  if (std::abs(q) <= 0.425) return q * ratio(0.180625 - q * q, kA, kB);
  const double r = std::sqrt(-std::log(q < 0 ? p : 1 - p));
  const double x = r <= 5 ? ratio(r - 1.6, kC, kD) : ratio(r - 5, kE, kF);
  return q < 0 ? -x : x;
}

constexpr double kBelowMinus3 = 0.0013498980316300933;  // of a normal distribution

struct Spread {
  double deviation = 0;
  bool cut = false;  // at 3 deviations
};

class Scheme {
 public:
  Scheme(const Params& params, const InitSettings& settings) : settings_(settings) {
    for (const Param& p : params) {
      if (p.role == Role::embedding) width_ = static_cast<double>(p.cols());
      if (const auto l = p.place.layer) layers_ = std::max(layers_, static_cast<double>(*l + 1));
    }
  }

  Spread of(const Param& p) const {
    const double inner = static_cast<double>(p.cols());
    const double layer = static_cast<double>(p.place.layer.value_or(0));
    // The residual stream is what all layers add to: its axis is the embedding's.
    const bool into_residual = p.role != Role::embedding && p.role != Role::position &&
                               p.place.layer && p.row_axes > 0 &&
                               p.axes[static_cast<size_t>(p.row_axes) - 1].name == "d_model";
    switch (settings_.scheme) {
      case InitScheme::llama:
        return {std_or(0.02), true};
      case InitScheme::gpt2:
        return {std_or(0.02) / (into_residual ? std::sqrt(2 * layers_) : 1), false};
      case InitScheme::mitchell: {
        const double std = p.role == Role::embedding ? 1 / std::sqrt(width_) : 1 / std::sqrt(inner);
        return {std_or(std) / (into_residual ? std::sqrt(2 * (layer + 1)) : 1), true};
      }
      case InitScheme::deepseek:
        return {std_or(0.006), false};
      case InitScheme::fan_in:
        return {p.role == Role::embedding ? 1 : std_or(1 / std::sqrt(inner)), true};
      case InitScheme::depth:
        break;
    }
    if (into_residual) return {2 / (layers_ * std::sqrt(width_)), false};
    return {std_or(std::sqrt(2 / (5 * width_))), false};
  }

 private:
  double std_or(double own) const { return settings_.std > 0 ? settings_.std : own; }
  const InitSettings settings_;
  double width_ = 1, layers_ = 1;
};

}  // namespace

void initialise(const Params& params, const InitSettings& settings, uint64_t seed,
                ParameterArrays& to, const Weights& given) {
  const Scheme scheme(params, settings);
  for (const ParamId i : params.ids()) {
    const Param& p = params[i];
    if (given.contains(p.name)) continue;
    const std::span<float> out = to[i];
    if (p.role == Role::norm || p.role == Role::bias || p.role == Role::sink) {
      std::fill(out.begin(), out.end(), p.role == Role::norm ? 1.0f : 0.0f);
      continue;
    }
    const Spread spread = scheme.of(p);
    const uint64_t key = mixed(hashed(p.name) ^ mixed(seed));
    const double low = spread.cut ? kBelowMinus3 : 0, range = 1 - 2 * low;
    for (size_t k = 0; k < out.size(); ++k) {
      const double u = (static_cast<double>(mixed(key + k) >> 11) + 0.5) * 0x1p-53;
      out[k] = static_cast<float>(spread.deviation * normal_quantile(low + range * u));
    }
  }
}

}  // namespace ashlar
