// Which CPUs this process may use, and how many threads are worth having.
#pragma once

#include <filesystem>
#include <vector>

namespace ashlar {

/// CPUs by number: one of each physical core first, then their siblings.
struct Cpus {
  std::vector<int> ids;
  int cores = 0;
};

/// Those of the caller's affinity mask; none where the system does not say.
Cpus usable_cpus();

/// One thread for each physical core that the caller may use, and no more than the control group's
/// share of the machine keeps busy: threads beyond that would wait for each other while none runs.
int default_threads();

/// Whole CPUs' worth of time that the control groups of this process grant, at least 1; 0: no
/// limit. `root` is where /proc and /sys lie.
int cpu_quota(const std::filesystem::path& root = "/");

/// `ids` as the files under `root` group them to cores; a CPU of which they say nothing is a core.
Cpus by_core(const std::vector<int>& ids, const std::filesystem::path& root = "/");

}  // namespace ashlar
