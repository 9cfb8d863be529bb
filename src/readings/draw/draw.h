// Diagrams of blueprints (ashlar/draw.h), from the library's own types.
#pragma once

#include <span>
#include <string>

#include "ashlar/draw.h"
#include "blueprint/blueprint.h"

namespace ashlar {

/// One model, or several side by side; there, what is not the same in all of them is marked.
/// Throws Error(invalid) for blueprints that check() refuses and for an empty list.
std::string draw(std::span<const Blueprint> blueprints, const DrawOptions& options = {});

}  // namespace ashlar
