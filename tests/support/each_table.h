// Kernel tables as parameters of tests: tests of tables that this CPU lacks are reported as
// skipped.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "kernels/table.h"

namespace ashlar::test {

/// In SetUp: skips the test where the CPU lacks the table's instructions.
inline void skip_unless_supported(const kernels::Table& table) {
  if (!table.supported()) GTEST_SKIP() << "this CPU lacks " << table.name;
}

inline std::vector<const kernels::Table*> all_tables() {
  const auto all = kernels::tables();
  return {all.begin(), all.end()};
}

}  // namespace ashlar::test
