// The norm of a block, with its options.
#pragma once

#include <span>
#include <string_view>

#include "base/enum_names.h"
#include "graph/builder.h"
#include "parts/fields.h"

namespace ashlar {

enum class NormKind : uint8_t { rms, layer };
ASHLAR_NAMES(NormKind, rms, layer);

/// rms: x w / rms(x). layer: mean removed, with weight and (unless `bias` is false) bias. Weights
/// are stored as the formula reads them (a checkpoint that stores w - 1 is corrected when it is
/// loaded).
struct Norm {
  NormKind kind = NormKind::rms;
  double eps = 1e-6;
  bool bias = true;  // of a layer norm
  bool operator==(const Norm&) const = default;
  ASHLAR_FIELDS("eps", kind, eps, bias);
};

/// Parameters `name`.weight (and .bias) over the last axis of x.
Value write_norm(Builder& b, const Norm& norm, Value x, std::string_view name);

}  // namespace ashlar
