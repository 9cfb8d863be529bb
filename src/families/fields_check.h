// Whether what a file says can be: sizes, lists and how they fit together.
#pragma once

#include "families/visitor.h"

namespace ashlar {

/// Throws Error(format) that names the file and the key as it stands there.
void check_fields(const Fields& f, const FieldVisitor& v);

}  // namespace ashlar
