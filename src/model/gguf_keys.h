// GGUF metadata as families read and write it.
#pragma once

#include <string>

#include "families/family.h"
#include "formats/gguf.h"

namespace ashlar {

/// The family, fields and blueprint of a file. Throws Error.
Read read_gguf(const GgufFile& file, const std::string& where);

}  // namespace ashlar
