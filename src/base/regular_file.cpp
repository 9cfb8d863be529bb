// Looks at what a path is before anything is opened.
#include "base/regular_file.h"

#include <algorithm>

#include "base/error.h"

namespace ashlar {

namespace fs = std::filesystem;

bool is_special(const fs::path& file) {
  std::error_code ignored;
  const fs::file_status status = fs::status(file, ignored);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

void check_regular(const fs::path& file) {
  if (is_special(file))
    fail(ErrorKind::io, "{}: is a device or a pipe, expected a file", file.string());
}

bool is_there(const fs::path& path) {
  std::error_code code;
  return fs::exists(path, code);
}

std::vector<fs::path> listed(const fs::path& folder, std::string_view extension) {
  std::vector<fs::path> files;
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    if (it->path().extension() == extension) files.push_back(it->path());
  }
  std::sort(files.begin(), files.end());
  return files;
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
