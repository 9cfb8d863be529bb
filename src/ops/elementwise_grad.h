// Gradients of ops on each number by itself.
#pragma once

#include "graph/op.h"
#include "ops/elementwise.h"
#include "ops/experts.h"

namespace ashlar {

/// dy where x is within the bounds (they included), 0 elsewhere.
struct ClampGrad {
  static constexpr OpDoc doc{"clamp_grad", "dx = dy where low <= x <= high, else 0", "x dy", "dx",
                             ""};
  Clamp forward;
  ASHLAR_ATTRIBUTES(forward);
  ASHLAR_FREE_PRIMITIVE;
};
ASHLAR_DECLARE_OP(ClampGrad);

struct SoftcapGrad {
  static constexpr OpDoc doc{"softcap_grad", "dx = dy (1 - tanh(x / cap)^2)", "x dy", "dx", ""};
  Softcap forward;
  ASHLAR_ATTRIBUTES(forward);
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(SoftcapGrad);

struct ActivateGrad {
  static constexpr OpDoc doc{"activate_grad", "dx = dy f'(x)", "x dy", "dx", ""};
  Activate forward;
  ASHLAR_ATTRIBUTES(forward);
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(ActivateGrad);

/// Zeros around x: its last axis becomes `axis` of `size` with x from `begin` on (the gradient of a
/// slice).
struct Pad {
  static constexpr OpDoc doc{"pad", "y[..., begin : begin + n] = x, 0 elsewhere", "x", "y", ""};
  int64_t begin = 0;
  std::string axis;
  int64_t size = 1;
  ASHLAR_ATTRIBUTES(begin, axis, size);
  ASHLAR_FREE_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(Pad);

/// gate, up and dy of equal types -> dgate and dup of the same.
struct GatedGrad {
  static constexpr OpDoc doc{"gated_grad", "dgate = dy up act'(gate), dup = dy act(gate)",
                             "gate up dy", "dgate dup", ""};
  Gated forward;
  ASHLAR_ATTRIBUTES(forward);
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(GatedGrad);

/// Operations of gated_grad per number.
int64_t gated_grad_operations(GateKind kind);

}  // namespace ashlar
