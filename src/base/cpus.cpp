// The affinity mask, the topology under /sys, and the quotas of control groups (version 2 and 1).
#include "base/cpus.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>

namespace ashlar {
namespace {

std::string first_line(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

/// CPUs of "quota period" in microseconds; infinite for "max", "-1" or nothing.
double cpus_of(const std::string& line) {
  std::istringstream in(line);
  double quota = 0, period = 0;
  return in >> quota >> period && quota > 0 && period > 0 ? quota / period : HUGE_VAL;
}

}  // namespace

Cpus by_core(const std::vector<int>& ids, const std::filesystem::path& root) {
  Cpus cpus;
  std::vector<int> siblings;
  std::set<std::string> cores;
  for (const int id : ids) {
    const std::string core =
        first_line(root / "sys/devices/system/cpu" / ("cpu" + std::to_string(id)) /
                   "topology/thread_siblings_list");
    const bool is_new = core.empty() || cores.insert(core).second;
    (is_new ? cpus.ids : siblings).push_back(id);
  }
  cpus.cores = static_cast<int>(cpus.ids.size());
  cpus.ids.insert(cpus.ids.end(), siblings.begin(), siblings.end());
  return cpus;
}

int cpu_quota(const std::filesystem::path& root) {
  double cpus = HUGE_VAL;
  // Lines of /proc/self/cgroup: "0::/path" (version 2) or "4:cpu,cpuacct:/path" (version 1). A
  // limit holds for everything below it; in a container the path may not exist, but the root does.
  std::ifstream in(root / "proc/self/cgroup");
  const auto look = [&](const std::filesystem::path& base, std::filesystem::path at,
                        bool version2) {
    while (true) {
      const std::filesystem::path folder = base / at.relative_path();
      cpus = std::min(cpus, version2 ? cpus_of(first_line(folder / "cpu.max"))
                                     : cpus_of(first_line(folder / "cpu.cfs_quota_us") + " " +
                                               first_line(folder / "cpu.cfs_period_us")));
      if (!at.has_relative_path()) return;
      at = at.parent_path();
    }
  };
  for (std::string line; std::getline(in, line);) {
    const size_t a = line.find(':'), b = line.find(':', a + 1);
    if (a == std::string::npos || b == std::string::npos) continue;
    const std::string controllers = "," + line.substr(a + 1, b - a - 1) + ",";
    if (controllers == ",,") look(root / "sys/fs/cgroup", line.substr(b + 1), true);
    if (controllers.find(",cpu,") != std::string::npos)
      look(root / "sys/fs/cgroup/cpu", line.substr(b + 1), false);
  }
  return std::isfinite(cpus) ? std::max(1, static_cast<int>(cpus)) : 0;
}

Cpus usable_cpus() {
  std::vector<int> ids;
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) {
    for (int id = 0; id < CPU_SETSIZE; ++id)
      if (CPU_ISSET(id, &mask)) ids.push_back(id);
  }
  return by_core(ids);
}

int default_threads() {
  int threads = usable_cpus().cores;
  if (threads == 0) threads = static_cast<int>(std::thread::hardware_concurrency());
  if (const int quota = cpu_quota(); quota > 0) threads = std::min(threads, quota);
  return std::max(1, threads);
}

}  // namespace ashlar
