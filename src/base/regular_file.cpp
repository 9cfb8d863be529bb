// Looks at what a path is before anything is opened.
#include "base/regular_file.h"

#include "base/error.h"

namespace ashlar {

namespace fs = std::filesystem;

void check_regular(const fs::path& file) {
  std::error_code code;
  const auto status = fs::status(file, code);
  if (fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status))
    fail(ErrorKind::io, "{}: is a device or a pipe, expected a file", file.string());
}

std::string read_regular_file(const fs::path& file, size_t max_bytes) {
  check_regular(file);
  return read_file(file, max_bytes);
}

Json read_regular_json(const fs::path& file) {
  check_regular(file);
  return read_json(file);
}

}  // namespace ashlar
