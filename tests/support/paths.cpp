// The two folders that CMake names.
#include "support/paths.h"

namespace ashlar {

std::string source_dir() { return ASHLAR_SOURCE_DIR; }
std::string binary_dir() { return ASHLAR_BINARY_DIR; }

}  // namespace ashlar
