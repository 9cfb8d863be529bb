// How long work takes on a machine: at its limit, and with the engine's kernels as measured.
#pragma once

#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "ashlar/predict.h"
#include "readings/predict/work.h"

namespace ashlar {

/// Times steps on one machine, which outlives it; `working_set` bytes are read over and over.
class Clock {
 public:
  Clock(const Machine& machine, double working_set);

  double bandwidth_seconds(const Work& w) const;
  double compute_seconds(const Work& w) const;
  double limit_seconds(const Work& w) const;  // the longer of both
  double step_seconds() const { return machine_.step_seconds; }

  bool knows_today() const { return machine_.kernels.has_value(); }
  double today_seconds(const Work& w) const;  // knows_today() only
  double today_step_seconds() const;

 private:
  using Points = std::vector<std::pair<double, double>>;  // tokens, seconds per weight

  static double product_seconds(const std::map<int64_t, Points>& widths, const Work& w);
  double attention_seconds(const Work& w) const;
  double row_seconds(std::string_view row, double numbers, const Work& w) const;

  const Machine& machine_;
  double bandwidth_;
  std::map<Format, std::map<int64_t, Points>> products_;
};

}  // namespace ashlar
