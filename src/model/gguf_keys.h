// GGUF metadata as families read and write it.
#pragma once

#include <string>

#include "families/family.h"
#include "formats/gguf.h"

namespace ashlar {

/// The family, fields and blueprint of a file. Throws Error.
Read read_gguf(const GgufFile& file, const std::string& where);

/// Throws Error(unsupported) for a file that is no language model: a vision projector, an adapter,
/// an importance matrix.
void refuse_other_kinds(const GgufFile& file, const std::string& where);

}  // namespace ashlar
