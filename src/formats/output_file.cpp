// Writing with every error of the system noticed.
#include "formats/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace ashlar {

OutputFile::OutputFile(std::filesystem::path file) : file_(std::move(file)), part_(file_) {
  part_ += ".part";
  descriptor_ = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    fail(ErrorKind::io, "{}: cannot create: {}", part_.string(), std::strerror(errno));
  }
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!committed_) ::unlink(part_.c_str());
}

void OutputFile::write(const void* bytes, size_t count) {
  constexpr size_t kMost = size_t{1} << 30;  // a system may take at most 2 GiB at once
  const auto* from = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t written = ::write(descriptor_, from, std::min(count, kMost));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      fail(ErrorKind::io, "{}: cannot write after {} bytes: {}", part_.string(), size_,
           std::strerror(errno));
    }
    from += written;
    size_ += written;
    count -= static_cast<size_t>(written);
  }
}

void OutputFile::pad_to(int64_t alignment) {
  constexpr std::array<char, 64> kZeros = {};
  for (int64_t left = (alignment - size_ % alignment) % alignment; left > 0;) {
    const int64_t n = std::min<int64_t>(left, kZeros.size());
    write(kZeros.data(), static_cast<size_t>(n));
    left -= n;
  }
}

void OutputFile::close() {
  const int descriptor = std::exchange(descriptor_, -1);
  if (descriptor >= 0 && ::close(descriptor) != 0) {
    fail(ErrorKind::io, "{}: cannot write: {}", part_.string(), std::strerror(errno));
  }
}

void OutputFile::commit() {
  close();
  std::error_code code;
  std::filesystem::rename(part_, file_, code);
  if (code) fail(ErrorKind::io, "{}: cannot rename into place: {}", file_.string(), code.message());
  committed_ = true;
}

}  // namespace ashlar
