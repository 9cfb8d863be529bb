// How long work takes on a machine: at its limit, and with the engine's kernels as measured.
#pragma once

#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "plan/work.h"
#include "readings/predict/predict.h"

namespace ashlar {

/// Seconds of work on one machine, which outlives it; `working_set` bytes are read over and over.
class WorkSeconds {
 public:
  WorkSeconds(const Machine& machine, double working_set);

  double of_bandwidth(const Work& w) const;
  double of_compute(const Work& w) const;
  double at_limit(const Work& w) const;  // the longer of both
  double of_step_at_limit() const { return machine_.step_seconds; }

  bool knows_today() const { return machine_.kernels.has_value(); }
  /// Of a part of a step of so many tasks; knows_today() only.
  double today(const Work& w, int64_t tasks) const;
  double of_step_today() const;

 private:
  using Points = std::vector<std::pair<double, double>>;  // tokens, seconds per weight

  static double product_seconds(const std::map<int64_t, Points>& widths, const Work& w);
  double attention_seconds(const Work& w, int64_t tasks) const;
  double row_seconds(const Work& w, int64_t tasks) const;

  const Machine& machine_;
  double bandwidth_;
  std::map<std::pair<Format, bool>, std::map<int64_t, Points>> products_;  // packed or not
};

}  // namespace ashlar
