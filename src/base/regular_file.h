// Files of a model, which lie on a disk: a pipe or a device, which may give bytes for ever or none,
// is refused unopened.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace ashlar {

/// Whether it exists and is neither a regular file nor a folder (a pipe, a device, a socket).
bool is_special(const std::filesystem::path& file);
/// Throws Error(io) for such.
void check_regular(const std::filesystem::path& file);

/// Whether it exists; false where that cannot be found out.
bool is_there(const std::filesystem::path& path);

/// The files of a folder with this extension (".gguf"), sorted; none where it cannot be read.
std::vector<std::filesystem::path> listed(const std::filesystem::path& folder,
                                          std::string_view extension);

/// read_file and read_json after check_regular.
std::string read_regular_file(const std::filesystem::path& file,
                              size_t max_bytes = size_t{1} << 29);
Json read_regular_json(const std::filesystem::path& file);

}  // namespace ashlar
