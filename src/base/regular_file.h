// Files of a model, which lie on a disk: a pipe or a device, which may give bytes for ever or none,
// is refused unopened.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "base/json.h"

namespace ashlar {

/// Throws Error(io) for what is there and neither a file on a disk nor a folder.
void check_regular(const std::filesystem::path& file);

/// read_file and read_json after check_regular.
std::string read_regular_file(const std::filesystem::path& file,
                              size_t max_bytes = size_t{1} << 29);
Json read_regular_json(const std::filesystem::path& file);

}  // namespace ashlar
