// Memory from the system: zeros, aligned, and nothing where there is none.
#include "base/mapped_memory.h"

#include <gtest/gtest.h>

namespace ashlar {
namespace {

TEST(MappedMemory, IsZeroAndAligned) {
  for (const int64_t bytes :
       {int64_t{1}, int64_t{4096}, int64_t{4097}, int64_t{2} << 20, (int64_t{5} << 20) + 1}) {
    const MappedMemory m(bytes);
    ASSERT_TRUE(m);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(m.data()) % (bytes < (2 << 20) ? 4096 : 2 << 20), 0U);
    for (int64_t i = 0; i < bytes; i += 1000) EXPECT_EQ(m.data()[i], std::byte{0});
    m.data()[0] = m.data()[bytes - 1] = std::byte{1};
  }
}

TEST(MappedMemory, IsEmptyWhereThereIsNone) {
  EXPECT_FALSE(MappedMemory());
  EXPECT_FALSE(MappedMemory(0));
  EXPECT_FALSE(MappedMemory(-1));
  EXPECT_FALSE(MappedMemory(INT64_MAX));
}

TEST(MappedMemory, Moves) {
  MappedMemory a(10000);
  std::byte* data = a.data();
  MappedMemory b = std::move(a);
  EXPECT_EQ(b.data(), data);
  b = MappedMemory(5000);
  EXPECT_TRUE(b);
}

}  // namespace
}  // namespace ashlar
