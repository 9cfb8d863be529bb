// Watches a series (loss, norm of the gradient) for spikes.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "base/enum_names.h"

namespace ashlar {

/// Rules by which a value is a spike, each over the values before it, its own not among them. No
/// verdict until a window is full.
enum class SpikeRule : uint8_t {
  deviations_128,   // 6 deviations above the mean of the last 128 (OLMo-core)
  deviations_1000,  // 7 deviations from the mean of the last 1000 (OLMo 2, section 3.1)
  robust,  // 7 times 1.4826 MAD above the median of the last 128, which spikes do not raise
};
inline constexpr int kSpikeRules = 3;
ASHLAR_NAMES(SpikeRule, deviations_128, deviations_1000, robust);

/// One number that is not finite is a spike by every rule and enters no window.
class SpikeMonitor {
 public:
  /// Which rules call `value` a spike; then it is the newest value.
  std::vector<SpikeRule> add(double value);
  /// Share of the values that had a verdict by this rule and were spikes; 0 without any.
  double score(SpikeRule rule) const;
  /// Mean and deviation of the last 128 (fewer, where there are no more).
  double mean() const;
  double deviation() const;

 private:
  std::deque<double> values_;  // the newest at the end, at most 1000
  int64_t judged_[kSpikeRules] = {}, spikes_[kSpikeRules] = {};
};

/// Mean of |ln x[t] - ln x[t - 1]|: how smooth a positive series is; 0 for fewer than two.
double roughness(std::span<const double> values);
/// Slope of ln x over 1000 steps, by least squares.
double log_slope(std::span<const double> values);

}  // namespace ashlar
