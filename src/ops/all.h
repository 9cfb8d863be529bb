// The list of all ops: one header, one line in all.cpp each. Tests, the text form and docs go
// through it.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "graph/text.h"
#include "ops/attention.h"
#include "ops/attention_grad.h"
#include "ops/convolution.h"
#include "ops/delta_rule.h"
#include "ops/delta_rule_grad.h"
#include "ops/elementwise.h"
#include "ops/elementwise_grad.h"
#include "ops/experts.h"
#include "ops/experts_grad.h"
#include "ops/inputs.h"
#include "ops/inputs_grad.h"
#include "ops/linear.h"
#include "ops/linear_grad.h"
#include "ops/loss.h"
#include "ops/norm.h"
#include "ops/norm_grad.h"
#include "ops/rope.h"
#include "ops/router_losses.h"
#include "ops/statistics.h"

namespace ashlar {

/// What an op is tested on: its attributes and the types of what it reads.
struct OpSample {
  Op op;
  std::vector<Type> inputs;
};

struct OpEntry {
  const OpDoc* doc;
  Op (*make)(const std::vector<Attribute>&);  // throws ShapeError
  std::vector<OpSample> (*samples)();  // at least one: every option of the op is switched somewhere
};

std::span<const OpEntry> all_ops();

/// The op of that name with those attributes; throws ShapeError when there is none.
Op make_op(std::string_view name, const std::vector<Attribute>& attributes);

/// parse_graph with Ashlar's own ops.
Graph parse_graph(std::string_view text);

}  // namespace ashlar
