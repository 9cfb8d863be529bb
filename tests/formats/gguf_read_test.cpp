// Reading GGUF files that the reference library wrote.
#include <gtest/gtest.h>

#include <bit>
#include <filesystem>

#include "base/error.h"
#include "formats/gguf.h"
#include "support/scratch.h"

namespace ashlar {
namespace {

TEST(GgufRead, DequantisesEveryFormatBitForBit) {
  const auto file = GgufFile::open(kGolden / "blocks.gguf");
  int compared = 0;
  for (const auto& [name, entry] : file->entries()) {
    if (!file->has(name + ".f32")) continue;
    EXPECT_EQ(info(entry.format).name, name);
    const std::vector<float> found = to_f32(file->tensor(name));
    const std::vector<float> expected = to_f32(file->tensor(name + ".f32"));
    ASSERT_EQ(found.size(), expected.size()) << name;
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(std::bit_cast<uint32_t>(found[i]), std::bit_cast<uint32_t>(expected[i]))
          << name << " value " << i << ": " << found[i] << " and " << expected[i];
    }
    ++compared;
  }
  EXPECT_EQ(compared, 15);
}

TEST(GgufRead, MetadataOfEveryType) {
  const auto file = GgufFile::open(kGolden / "metadata.gguf");
  const auto value = [&](const char* key) -> const GgufValue& { return *file->find(key); };
  EXPECT_EQ(value("t.u8").as_int(), 200);
  EXPECT_EQ(value("t.i8").as_int(), -100);
  EXPECT_EQ(value("t.u16").as_int(), 60000);
  EXPECT_EQ(value("t.i16").as_int(), -30000);
  EXPECT_EQ(value("t.u32").as_int(), 4000000000);
  EXPECT_EQ(value("t.i32").as_int(), -2000000000);
  EXPECT_EQ(value("t.i64").as_int(), -(int64_t{1} << 62));
  EXPECT_EQ(value("t.f32").as_float(), static_cast<double>(0.1f));
  EXPECT_EQ(value("t.f64").as_float(), 0.1);
  EXPECT_EQ(value("t.i32").as_float(), -2e9);
  EXPECT_TRUE(value("t.yes").as_bool());
  EXPECT_FALSE(value("t.no").as_bool());
  EXPECT_EQ(value("t.string").as_string(), std::string("Gr\xc3\xbc\xc3\x9f"
                                                       "e\n\0end",
                                                       12));
  EXPECT_EQ(value("t.strings").as_strings(), (std::vector<std::string>{"", "a", "日本"}));
  EXPECT_EQ(value("t.ints").as_ints(), (std::vector<int64_t>{1, -2, 3}));
  EXPECT_EQ(value("t.floats").as_floats(), (std::vector<double>{0.5, -0.25}));
  EXPECT_EQ(value("t.bools").as_ints(), (std::vector<int64_t>{1, 0, 1}));
  EXPECT_EQ(file->find("t.absent"), nullptr);
  EXPECT_EQ(message_of([&] { value("t.string").as_int(); }),
            (kGolden / "metadata.gguf").string() +
                ": metadata key \"t.string\": expected an integer, found string");
  EXPECT_EQ(message_of([&] { value("t.u64").as_int(); }),
            (kGolden / "metadata.gguf").string() +
                ": metadata key \"t.u64\": expected an integer below 2^63, found u64");
  EXPECT_EQ(message_of([&] { value("t.ints").as_strings(); }),
            (kGolden / "metadata.gguf").string() +
                ": metadata key \"t.ints\": expected an array of strings, found array of i32");
}

TEST(GgufRead, TensorShapesAndRefusals) {
  const auto file = GgufFile::open(kGolden / "metadata.gguf");
  const Tensor cube = file->tensor("cube");
  EXPECT_EQ(cube.sizes, (Sizes{2, 3, 4}));
  const std::vector<float> values = to_f32(cube);
  for (int i = 0; i < 24; ++i) EXPECT_EQ(values[static_cast<size_t>(i)], static_cast<float>(i));
  EXPECT_TRUE(file->has("positions"));
  EXPECT_NE(message_of([&] { file->tensor("positions"); }).find("tensor \"positions\": type I32"),
            std::string::npos);
  EXPECT_NE(message_of([&] { file->tensor("absent"); }).find("no tensor \"absent\""),
            std::string::npos);
}

TEST(GgufRead, SplitFileOpensFromAnyPart) {
  for (const char* part : {"split-00001-of-00003.gguf", "split-00003-of-00003.gguf"}) {
    const auto file = GgufFile::open(kGolden / part);
    EXPECT_EQ(file->find("general.name")->as_string(), "in three parts");
    ASSERT_EQ(file->entries().size(), 6u);
    for (int i = 0; i < 6; ++i) {
      const Tensor t = file->tensor("part." + std::to_string(i));
      EXPECT_EQ(t.sizes, (Sizes{2, 8}));
      EXPECT_EQ(to_f32(t), std::vector<float>(16, static_cast<float>(i)));
    }
  }
}

}  // namespace
}  // namespace ashlar
