// Reads /proc/meminfo and the limits of control groups.
#include "model/memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include "base/error.h"

namespace ashlar {
namespace {

constexpr int64_t kUnknown = std::numeric_limits<int64_t>::max();

int64_t number_in(const char* file) {
  std::ifstream in(file);
  int64_t value = 0;
  return in >> value && value >= 0 ? value : kUnknown;
}

/// The number after `key` in a file of lines "key number".
int64_t number_after(const char* file, const std::string& key) {
  std::ifstream in(file);
  std::string name, rest;
  int64_t value = 0;
  while (in >> name) {
    if (name == key && in >> value) return value;
    std::getline(in, rest);
  }
  return kUnknown;
}

/// What a limit leaves; pages of files do not count, the system lets them go. The numbers are read
/// one after the other, so there may be more pages of files than were in use; and a limit near 2^63
/// is none.
int64_t left(int64_t limit, int64_t used, int64_t files) {
  if (limit == kUnknown || used == kUnknown || limit >= int64_t{1} << 62) return kUnknown;
  const int64_t kept = std::max<int64_t>(0, used - (files == kUnknown ? 0 : files));
  return std::max<int64_t>(0, limit - kept);
}

}  // namespace

int64_t available_memory() {
  const int64_t kib = number_after("/proc/meminfo", "MemAvailable:");
  const int64_t system = kib == kUnknown ? kUnknown : kib * 1024;
  const int64_t group =
      left(number_in("/sys/fs/cgroup/memory.max"), number_in("/sys/fs/cgroup/memory.current"),
           number_after("/sys/fs/cgroup/memory.stat", "file"));
  const int64_t older = left(number_in("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
                             number_in("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
                             number_after("/sys/fs/cgroup/memory/memory.stat", "total_cache"));
  return std::min({system, group, older});
}

void need_memory(int64_t bytes, std::string_view what) {
  const int64_t available = available_memory();
  if (bytes <= available) return;
  constexpr double kGib = 1024.0 * 1024 * 1024;
  fail(
      ErrorKind::resource,
      "{} need {:.1f} GiB of memory, {:.1f} GiB are available; choose a smaller model or a smaller "
      "format",
      what, static_cast<double>(bytes) / kGib, static_cast<double>(available) / kGib);
}

}  // namespace ashlar
