// Kernel tables as parameters of tests: tests of tables that this CPU lacks are reported as
// skipped.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "kernels/table.h"
#include "support/with_tiles.h"

namespace ashlar::test {

/// Tests of one table each; `of` finds it in the test's parameter. Tiles that the CPU lacks are
/// performed in software.
template <class Parameter>
class TableTest : public testing::TestWithParam<Parameter> {
 protected:
  void SetUp() override {
    const kernels::Table& table = of(this->GetParam());
    if (table.name == "amx") tiles_.emplace();
    if (!table.supported()) GTEST_SKIP() << "this CPU lacks " << table.name;
  }

 private:
  static const kernels::Table& of(const kernels::Table* table) { return *table; }
  template <class Case>
  static const kernels::Table& of(const Case& c) {
    return *c.table;
  }
  std::optional<WithTiles> tiles_;
};

inline std::vector<const kernels::Table*> all_tables() {
  const auto all = kernels::tables();
  return {all.begin(), all.end()};
}

}  // namespace ashlar::test
