// Writing with every error of the system noticed.
#include "base/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/regular_file.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

/// Bytes that this user may still fill; nothing where the system does not say.
std::optional<int64_t> free_bytes(const fs::path& folder) {
  struct statvfs info = {};
  if (::statvfs(folder.c_str(), &info) != 0) return std::nullopt;
  const auto blocks = ::geteuid() == 0 ? info.f_bfree : info.f_bavail;
  return static_cast<int64_t>(blocks * info.f_frsize);
}

std::string free_text(const fs::path& folder) {
  const auto free = free_bytes(folder);
  return free ? fmt::format(", {} free there", *free) : "";
}

}  // namespace

void check_free_space(const fs::path& folder, int64_t bytes) {
  const auto free = free_bytes(folder);
  if (!free || *free >= bytes) return;
  fail(ErrorKind::resource,
       "{}: {} bytes needed, {} free there: free some space, or write to another disk",
       folder.string(), bytes, *free);
}

void check_output(const fs::path& file) {
  if (!is_special(file)) const OutputFile trial(file);
}

OutputFile::OutputFile(fs::path file, int64_t bytes, Until until)
    : file_(std::move(file)), bytes_(bytes) {
  std::error_code ignored;
  if (fs::is_symlink(file_, ignored)) {  // the file it leads to is replaced, not the link
    const fs::path target = fs::canonical(file_, ignored);
    if (!ignored) file_ = target;
  }
  const fs::path folder = folder_of(file_);
  if (!file_.has_filename() || fs::is_directory(file_, ignored)) {
    fail(ErrorKind::io, "\"{}\": expected the name of a file to write, found {}", file_.string(),
         file_.empty() ? "none" : "a folder's");
  }
  if (is_special(file_)) {
    in_place_ = true;
    descriptor_ = ::open(file_.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) cannot_write(errno);
    return;
  }
  if (!fs::is_directory(folder, ignored)) {
    fail(ErrorKind::io, "{}: cannot be written: there is no folder {}", file_.string(),
         folder.string());
  }
  check_free_space(folder, bytes_);
  create(until);
  struct stat old = {};
  if (::stat(file_.c_str(), &old) == 0) {
    if (::access(file_.c_str(), W_OK) != 0) cannot_write(errno);
    if (::fchmod(descriptor_, old.st_mode & 07777) != 0) cannot_write(errno);
  }
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!part_.empty()) ::unlink(part_.c_str());
}

fs::path OutputFile::part_name(int attempt) const {
  return folder_of(file_) /
         fmt::format(".{}.{}-{}.part", file_.filename().string(), ::getpid(), attempt);
}

void OutputFile::create(Until until) {
  constexpr int kFlags = O_WRONLY | O_CLOEXEC;
  constexpr mode_t kMode = 0666;
  // An unnamed file gets its name by way of /proc.
  if (until == Until::unnamed && ::access("/proc/self/fd", X_OK) == 0)
    descriptor_ = ::open(folder_of(file_).c_str(), O_TMPFILE | kFlags, kMode);
  if (descriptor_ >= 0) return;
  fs::path name;
  for (int attempt = 0; descriptor_ < 0; ++attempt) {
    name = part_name(attempt);
    descriptor_ = ::open(name.c_str(), O_CREAT | O_EXCL | kFlags, kMode);
    if (descriptor_ < 0 && errno != EEXIST) cannot_write(errno);
  }
  part_ = name;
}

void OutputFile::give_name() {
  const std::string open = fmt::format("/proc/self/fd/{}", descriptor_);
  for (int attempt = 0; part_.empty(); ++attempt) {
    const fs::path name = part_name(attempt);
    if (::linkat(AT_FDCWD, open.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0)
      part_ = name;
    else if (errno != EEXIST)
      cannot_write(errno);
  }
}

void OutputFile::cannot_write(int code) const {
  const bool full = code == ENOSPC || code == EDQUOT || code == EFBIG;
  const std::string_view advice =
      code == EFBIG ? ": raise the limit on file sizes (ulimit -f), or write to another disk"
      : full        ? ": free some space, or write to another disk"
      : code == EACCES || code == EPERM || code == EROFS
          ? ": write to a folder of your own, or change its permissions"
          : "";
  const std::string counts =
      full ? fmt::format(" ({} written{}{})",
                         bytes_ > 0 ? fmt::format("{} bytes needed, {}", bytes_, size_)
                                    : fmt::format("{} bytes", size_),
                         in_place_ ? "" : free_text(folder_of(file_)), "")
           : "";
  fail(full ? ErrorKind::resource : ErrorKind::io, "{}: cannot be written: {}{}{}", file_.string(),
       std::strerror(code), counts, advice);
}

void OutputFile::write(const void* bytes, size_t count) {
  constexpr size_t kMost = size_t{1} << 30;  // a system may take at most 2 GiB at once
  const auto* from = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t written = ::write(descriptor_, from, std::min(count, kMost));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) cannot_write(written < 0 ? errno : ENOSPC);
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

void OutputFile::flush() {
  if (!in_place_ && ::fsync(descriptor_) != 0) cannot_write(errno);
}

void OutputFile::commit() {
  flush();
  if (!in_place_) give_name();
  if (::close(std::exchange(descriptor_, -1)) != 0) cannot_write(errno);
  if (in_place_) return;
  if (::rename(part_.c_str(), file_.c_str()) != 0) cannot_write(errno);
  part_.clear();
}

// ---- OutputFolder

OutputFolder::OutputFolder(fs::path folder) : folder_(std::move(folder)) { create(folder_); }

OutputFolder::~OutputFolder() {
  files_.clear();
  if (committed_) return;
  std::error_code ignored;
  for (auto it = created_.rbegin(); it != created_.rend(); ++it) fs::remove(*it, ignored);
}

void OutputFolder::create(const fs::path& folder) {
  std::error_code code;
  if (folder.empty() || fs::is_directory(folder, code)) return;
  create(folder.parent_path());
  fs::create_directory(folder, code);
  if (code) {
    fail(ErrorKind::io, "{}: cannot create the folder: {}", folder.string(), code.message());
  }
  created_.push_back(folder);
}

OutputFile& OutputFolder::add(const fs::path& name, int64_t bytes) {
  create((folder_ / name).parent_path());
  return files_.emplace_back(folder_ / name, bytes);
}

void OutputFolder::add_text(const fs::path& name, std::string_view text) {
  add(name, static_cast<int64_t>(text.size())).write(text);
}

void OutputFolder::commit() {
  for (OutputFile& file : files_) file.flush();
  // Here the folder begins to change.
  if (!files_.empty()) replaced_.insert(replaced_.begin(), files_.back().path());
  for (const fs::path& old : replaced_) {
    std::error_code code;
    fs::remove(old, code);
    if (code) fail(ErrorKind::io, "{}: cannot be replaced: {}", old.string(), code.message());
  }
  for (OutputFile& file : files_) file.commit();
  committed_ = true;
}

}  // namespace ashlar
