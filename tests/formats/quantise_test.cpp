// Quantisers against blocks that ggml's reference quantisers made.
#include <gtest/gtest.h>

#include <cstring>

#include "formats/gguf.h"
#include "support/scratch.h"

namespace ashlar {
namespace {

TEST(Quantise, BytesEqualGgml) {
  const auto file = GgufFile::open(kGolden / "quantised.gguf");
  const Tensor x = file->tensor("x");
  int compared = 0;
  for (const auto& [name, entry] : file->entries()) {
    if (name == "x") continue;
    ASSERT_EQ(info(entry.format).name, name);
    const Tensor expected = file->tensor(name), found = convert(x, entry.format);
    ASSERT_EQ(found.bytes(), expected.bytes());
    const int64_t size = info(entry.format).block_bytes;
    int64_t differing = 0;
    for (int64_t at = 0; at < found.bytes(); at += size) {
      differing += std::memcmp(found.data + at, expected.data + at, static_cast<size_t>(size)) != 0;
    }
    EXPECT_EQ(differing, 0) << name << ", of " << found.bytes() / size << " blocks";
    ++compared;
  }
  EXPECT_EQ(compared, 13);
}

}  // namespace
}  // namespace ashlar
