// Where the sources and the build lie: compiled in one file, so that no test depends on the folder.
#pragma once

#include <string>

namespace ashlar {

std::string source_dir();
std::string binary_dir();

}  // namespace ashlar
