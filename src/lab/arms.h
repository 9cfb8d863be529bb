// Arms expanded: the blueprint of each, what it costs, and the knob that makes it equal.
#pragma once

#include <functional>
#include <optional>

#include "blueprint/blueprint.h"
#include "lab/data.h"
#include "lab/experiment.h"

namespace ashlar::lab {

struct ArmCost {
  int64_t total = 0, active = 0;
  int64_t body = 0;            // parameters of layers
  double flops_per_token = 0;  // of training, at the rows' length
  double state_bytes = 0;      // of one sequence of the rows' length, 16 bits a number
  int64_t memory_bytes = 0;    // of a training step
  double of(Held what) const;  // total, active, body, flops_per_token or state
};

struct ExpandedArm {
  Arm arm;
  Blueprint blueprint;
  Json model;  // the blueprint, as `model` of RUN.json
  Json run;    // settings of the experiment and the arm
  ArmCost cost;
  std::string knob;   // what was solved for; empty: nothing
  int64_t value = 0;  // its value
  double off = 0;     // relative deviation from what it was to be equal to
  int64_t steps = 0, tokens = 0, sequences = 0;
  std::vector<Difference> differences;  // from the baseline
};

/// Measured seconds per token of an arm; nothing: not measured yet.
using SpeedOf = std::function<std::optional<double>(const Arm&)>;

/// Throws Error(invalid) where a knob cannot make an arm equal within what the file says. Equal
/// seconds need all speeds: nothing is returned while one is missing.
std::optional<std::vector<ExpandedArm>> expand(const Experiment& experiment, const Data& data,
                                               const SpeedOf& speed);
/// The cost of one blueprint; `mtp`: its layer for multi-token prediction is trained too. Without
/// `training` the operations and the memory of training are left out.
ArmCost cost_of(const Blueprint& blueprint, int64_t length, int64_t sequences, bool mtp = false,
                bool training = true);
/// Null where there is none of that name.
const ExpandedArm* arm_named(const std::vector<ExpandedArm>& arms, const std::string& name);

}  // namespace ashlar::lab
