// Windows of the newest values; sums are made anew each time, so that a run and its resumption
// agree to the bit.
#include "train/monitor.h"

#include <algorithm>
#include <cmath>

namespace ashlar {
namespace {

constexpr size_t kShort = 128, kLong = 1000;

struct Moments {
  double mean = 0, deviation = 0;
};

template <class Range>
Moments moments(const Range& values, size_t last) {
  const size_t n = std::min(last, values.size()), from = values.size() - n;
  if (n == 0) return {};
  double sum = 0, squares = 0;
  for (size_t i = from; i < values.size(); ++i) sum += values[i];
  const double mean = sum / static_cast<double>(n);
  for (size_t i = from; i < values.size(); ++i) squares += (values[i] - mean) * (values[i] - mean);
  return {mean, std::sqrt(squares / static_cast<double>(n))};
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

}  // namespace

std::vector<SpikeRule> SpikeMonitor::add(double value) {
  std::vector<SpikeRule> found;
  const auto judge = [&](SpikeRule rule, bool spike) {
    const auto r = static_cast<size_t>(rule);
    ++judged_[r];
    if (!spike) return;
    ++spikes_[r];
    found.push_back(rule);
  };
  if (!std::isfinite(value)) {
    for (int r = 0; r < kSpikeRules; ++r) judge(static_cast<SpikeRule>(r), true);
    return found;
  }
  if (values_.size() >= kShort) {
    const Moments m = moments(values_, kShort);
    judge(SpikeRule::deviations_128, m.deviation > 0 && value - m.mean > 6 * m.deviation);
    std::vector<double> last(values_.end() - static_cast<std::ptrdiff_t>(kShort), values_.end());
    const double middle = median(last);
    for (double& v : last) v = std::abs(v - middle);
    const double deviation = 1.4826 * median(last);
    judge(SpikeRule::robust, deviation > 0 && value - middle > 7 * deviation);
  }
  if (values_.size() >= kLong) {
    const Moments m = moments(values_, kLong);
    judge(SpikeRule::deviations_1000,
          m.deviation > 0 && std::abs(value - m.mean) >= 7 * m.deviation);
  }
  values_.push_back(value);
  if (values_.size() > kLong) values_.pop_front();
  return found;
}

double SpikeMonitor::score(SpikeRule rule) const {
  const auto r = static_cast<size_t>(rule);
  return judged_[r] > 0 ? static_cast<double>(spikes_[r]) / static_cast<double>(judged_[r]) : 0;
}

double SpikeMonitor::mean() const { return moments(values_, kShort).mean; }
double SpikeMonitor::deviation() const { return moments(values_, kShort).deviation; }

double roughness(std::span<const double> values) {
  double sum = 0;
  int64_t n = 0;
  for (size_t i = 1; i < values.size(); ++i) {
    if (!(values[i] > 0) || !(values[i - 1] > 0)) continue;
    sum += std::abs(std::log(values[i] / values[i - 1]));
    ++n;
  }
  return n > 0 ? sum / static_cast<double>(n) : 0;
}

double log_slope(std::span<const double> values) {
  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!(values[i] > 0) || !std::isfinite(values[i])) continue;
    const double t = static_cast<double>(i) / 1000, l = std::log(values[i]);
    n += 1;
    x += t;
    y += l;
    xx += t * t;
    xy += t * l;
  }
  const double spread = n * xx - x * x;
  return spread > 0 ? (n * xy - x * y) / spread : 0;
}

}  // namespace ashlar
