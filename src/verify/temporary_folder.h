// A folder that goes away with its owner.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "base/error.h"

namespace ashlar {

class TemporaryFolder {
 public:
  /// Under $TMPDIR. Throws Error(io).
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "ashlar-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr)
      fail(ErrorKind::io, "{}: no temporary folder can be made there", name);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace ashlar
