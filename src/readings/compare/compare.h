// Comparison of blueprints (ashlar/compare.h), from the library's own types.
#pragma once

#include <span>

#include "ashlar/compare.h"
#include "blueprint/blueprint.h"

namespace ashlar {

/// Throws Error(invalid) for fewer than two blueprints, or options out of range.
Comparison compare(std::span<const Blueprint> blueprints, const CompareOptions& options = {});

}  // namespace ashlar
