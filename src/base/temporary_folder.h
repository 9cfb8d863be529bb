// A folder that goes away with its owner.
#pragma once

#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

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
  /// A process that writes there may do so for a moment after it has ended.
  ~TemporaryFolder() {
    std::error_code code;
    for (int i = 0; i < 20; ++i) {
      std::filesystem::remove_all(path_, code);
      if (!code && !std::filesystem::exists(path_, code)) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace ashlar
