// Blueprints that are the same but for the rounding of a file that keeps 32 bits of their numbers.
#pragma once

#include "blueprint/blueprint.h"

namespace ashlar {

/// Whether the two values are numbers, or lists of as many, none further apart than `share` of
/// themselves.
bool rounded_alike(const Difference& difference, double share);

}  // namespace ashlar
