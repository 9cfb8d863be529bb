// Several devices as one: how a model is split over them, what that costs, what is to be expected.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "readings/predict/predict.h"

namespace ashlar {

/// Devices that hold `bytes` between them when each also needs `each` for itself; 0: no number of
/// them up to kMostDevices does.
int64_t devices_for(const Machine& machine, double bytes, double each);
inline constexpr int64_t kMostDevices = 1024;

/// `devices` machines as one: memory of all, bandwidth and rates of those that work on one token at
/// the same time.
Machine joined(const Machine& machine, int64_t devices, int64_t at_once);

/// How a model is split over devices, and what passes between two of them.
struct SplitPlan {
  int64_t tensor = 1;    // devices that share every matrix
  int64_t pipeline = 1;  // groups of them, each with some of the layers
  double seconds = 0;    // of exchanges, of one step
  double bytes = 0;      // that a device sends, of one step
};
/// Every matrix over the devices of a host, layers over hosts.
SplitPlan tensor_over(const Machine& machine, int64_t devices, const Blueprint& blueprint,
                      int64_t tokens);
/// The faster of both as a rule: matrices are shared where a fast link joins the devices, layers
/// where it does not.
SplitPlan split_over(const Machine& machine, int64_t devices, const Blueprint& blueprint,
                     int64_t tokens);
/// Layers only: what needs no fast link.
SplitPlan pipeline_over(const Machine& machine, int64_t devices, const Blueprint& blueprint,
                        int64_t tokens);

/// Exchanges of rows with the devices that hold the chosen experts: there and back in each layer.
SplitPlan expert_exchange(const Machine& machine, int64_t devices, const Blueprint& blueprint,
                          int64_t tokens);

/// Which share of the limit has been seen on machines of a kind (docs/planning.md: sources).
SpeedRange efficiency(const Machine& machine, const Blueprint& blueprint, bool prefill,
                      int64_t sequences);

/// The same with q8_0 for matrices in bfloat16: as engines hold what a release of four-bit experts
/// left in it.
WeightFormats held_in_eight_bits(const WeightFormats& formats);

}  // namespace ashlar
