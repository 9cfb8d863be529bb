// Whether what a file says can be: sizes, lists and how they fit together.
#pragma once

#include "blueprint/blueprint.h"
#include "families/visitor.h"

namespace ashlar {

/// Throws Error(format) that names the file and the key as it stands there.
void check_fields(const Fields& f, const FieldVisitor& v);
/// As above, for what the blueprint that was made of the fields uses of them.
void check_parts(const Blueprint& blueprint, const Fields& f, const FieldVisitor& v);

}  // namespace ashlar
