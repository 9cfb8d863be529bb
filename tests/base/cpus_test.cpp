// Cores and quotas as the files of a system state them.
#include "base/cpus.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <thread>

namespace ashlar {
namespace {

class CpuFiles : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove_all(root); }
  void TearDown() override { std::filesystem::remove_all(root); }
  void write(const std::string& file, const std::string& text) const {
    const std::filesystem::path path = root / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  const std::filesystem::path root =
      std::filesystem::temp_directory_path() / ("ashlar_cpus_test" + std::to_string(::getpid()));
};

TEST_F(CpuFiles, OneOfEachCoreComesFirst) {
  const char* siblings[] = {"0,4", "1,5", "2,6", "3,7"};
  for (int i = 0; i < 8; ++i) {
    write("sys/devices/system/cpu/cpu" + std::to_string(i) + "/topology/thread_siblings_list",
          std::string(siblings[i % 4]) + "\n");
  }
  const Cpus all = by_core({0, 1, 2, 3, 4, 5, 6, 7}, root);
  EXPECT_EQ(all.cores, 4);
  EXPECT_EQ(all.ids, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
  const Cpus some = by_core({1, 2, 5, 6, 7}, root);
  EXPECT_EQ(some.cores, 3);
  EXPECT_EQ(some.ids, (std::vector<int>{1, 2, 7, 5, 6}));
  EXPECT_EQ(by_core({8, 9}, root).cores, 2);  // nothing is said of them
}

TEST_F(CpuFiles, TheTightestControlGroupCounts) {
  EXPECT_EQ(cpu_quota(root), 0);
  write("proc/self/cgroup", "0::/a/b\n");
  write("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(cpu_quota(root), 0);
  write("sys/fs/cgroup/a/cpu.max", "350000 100000\n");
  EXPECT_EQ(cpu_quota(root), 3);
  write("sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(cpu_quota(root), 1);
  // In a container the path is the host's.
  write("proc/self/cgroup", "0::/elsewhere\n");
  write("sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_EQ(cpu_quota(root), 2);
  write("proc/self/cgroup", "nonsense\n::\n0::\n7:memory:/x\n");
  EXPECT_EQ(cpu_quota(root), 2);
}

TEST_F(CpuFiles, VersionOneHasTwoFiles) {
  write("proc/self/cgroup", "5:memory:/x\n4:cpu,cpuacct:/box\n");
  write("sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpu_quota(root), 0);
  write("sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "400000\n");
  EXPECT_EQ(cpu_quota(root), 4);
}

TEST(Threads, DefaultIsWithinTheMachine) {
  EXPECT_GE(default_threads(), 1);
  EXPECT_LE(default_threads(), static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace
}  // namespace ashlar
