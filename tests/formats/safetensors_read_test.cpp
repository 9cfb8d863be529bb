// Reading safetensors folders that the reference libraries wrote.
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "formats/safetensors.h"
#include "support/scratch.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;
void expect_same(const Tensor& found, const Tensor& expected, const std::string& name) {
  EXPECT_EQ(found.sizes, expected.sizes) << name;
  const std::vector<float> a = to_f32(found), b = to_f32(expected);
  ASSERT_EQ(a.size(), b.size()) << name;
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(a[i]), std::bit_cast<uint32_t>(b[i]))
        << name << " value " << i << ": " << a[i] << " and " << b[i];
  }
}

TEST(SafetensorsRead, EveryDtype) {
  const auto folder = SafetensorsFolder::open(kGolden / "plain");
  for (const char* name : {"w.f32", "w.f16", "w.bf16"}) {
    EXPECT_EQ(folder->tensor(name).sizes, (Sizes{5, 7}));
    EXPECT_EQ(info(folder->entries().at(name).format).name, std::string(name).substr(2));
    expect_same(folder->tensor(name), folder->tensor(std::string(name) + ".f32"), name);
  }
  EXPECT_EQ(to_f32(folder->tensor("scalar")), std::vector<float>{3.5f});
  EXPECT_EQ(folder->tensor("empty").sizes, (Sizes{0, 4}));
  EXPECT_TRUE(to_f32(folder->tensor("empty")).empty());
  EXPECT_EQ(folder->metadata().at("format"), "pt");
  int refused = 0;
  for (const auto& [name, entry] : folder->entries()) {
    if (name.rfind("other.", 0) != 0 || name == "other.float64") continue;  // doubles become floats
    expect_message(message_of([&, n = name] { folder->tensor(n); }), "is not read as a weight");
    ++refused;
  }
  EXPECT_EQ(refused, 6);
}

TEST(SafetensorsRead, Shards) {
  for (const char* path : {"sharded", "sharded/model.safetensors.index.json",
                           "sharded/model-00002-of-00002.safetensors"}) {
    const auto folder = SafetensorsFolder::open(kGolden / path);
    ASSERT_EQ(folder->entries().size(), 4u) << path;
    EXPECT_EQ(to_f32(folder->tensor("layer.0.a")), std::vector<float>(6, 1.0f));
    EXPECT_EQ(to_f32(folder->tensor("layer.1.bb")), std::vector<float>(6, 12.0f));
  }
}

TEST(SafetensorsRead, Fp8) {
  for (const char* path : {"fp8", "fp8_small"}) {
    const auto folder = SafetensorsFolder::open(kGolden / path);
    int compared = 0;
    for (const auto& [name, entry] : folder->entries()) {
      const size_t tail = name.rfind(".weight");
      if (tail == std::string::npos || name == "bare.weight") continue;
      expect_same(folder->tensor(name), folder->tensor(name.substr(0, tail) + ".expected"), name);
      EXPECT_FALSE(folder->has(name + "_scale_inv")) << name;
      ++compared;
    }
    EXPECT_EQ(compared, path == std::string("fp8") ? 5 : 2);
  }
  const auto folder = SafetensorsFolder::open(kGolden / "fp8");
  EXPECT_EQ(folder->entries().at("m.0.weight").format, Format::fp8_b128);
  EXPECT_EQ(folder->entries().at("m.1.weight").format, Format::f32);  // rows of 200
  EXPECT_EQ(folder->entries().at("m.2.weight").format, Format::fp8_b128);
  expect_message(message_of([&] { folder->tensor("bare.weight"); }), "without scales");
}

TEST(SafetensorsRead, Mxfp4) {
  const auto folder = SafetensorsFolder::open(kGolden / "mxfp4");
  EXPECT_EQ(folder->entries().at("experts.down_proj").format, Format::mxfp4);
  EXPECT_EQ(folder->entries().size(), 3u);
  EXPECT_EQ(folder->tensor("experts.down_proj").sizes, (Sizes{2, 6, 96}));
  // Equal as numbers: nibble 8 is -0 in the library and 0 in ggml's table, which the format
  // follows.
  EXPECT_EQ(to_f32(folder->tensor("experts.down_proj")), to_f32(folder->tensor("expected")));
}

TEST(SafetensorsRead, Int4) {
  const auto folder = SafetensorsFolder::open(kGolden / "int4");
  for (const std::string i : {"0", "1"}) {
    const std::string name = "experts." + i + ".down_proj.weight";
    EXPECT_EQ(folder->entries().at(name).format, Format::int4_g32);
    expect_same(folder->tensor(name), folder->tensor("experts." + i + ".expected"), name);
  }
  EXPECT_EQ(folder->entries().size(), 5u);
  expect_message(message_of([&] { folder->tensor("odd.weight"); }), "only groups of 32");
}

TEST(SafetensorsRead, TensorParallelSlices) {
  const auto folder = SafetensorsFolder::open(kGolden / "sliced");
  EXPECT_EQ(folder->entries().size(), 7u);
  for (const std::string w : {"w1", "w2", "w3"}) {
    const std::string name = "model.layers.0.block_sparse_moe.experts.0." + w + ".weight";
    expect_same(folder->tensor(name), folder->tensor("expected." + w), name);
  }
}

TEST(SafetensorsRead, IncompleteFoldersSaySo) {
  Scratch scratch;
  expect_message(message_of([&] { SafetensorsFolder::open(scratch.path); }),
                 "expected model.safetensors");
  expect_message(message_of([&] { SafetensorsFolder::open(scratch.path / "none.safetensors"); }),
                 "cannot open");
  fs::copy(kGolden / "sharded", scratch.path);
  fs::remove(scratch.path / "model-00002-of-00002.safetensors");
  expect_message(message_of([&] { SafetensorsFolder::open(scratch.path); }),
                 "names the file model-00002-of-00002.safetensors, which is missing");
  fs::remove(scratch.path / "model.safetensors.index.json");
  expect_message(message_of([&] { SafetensorsFolder::open(scratch.path); }), "1 of 2 shards");
}

TEST(SafetensorsRead, IndexAndShardsMustAgree) {
  Scratch scratch;
  fs::copy(kGolden / "sharded", scratch.path);
  fs::copy_file(scratch.path / "model-00001-of-00002.safetensors",
                scratch.path / "model-00002-of-00002.safetensors",
                fs::copy_options::overwrite_existing);
  expect_message(message_of([&] { SafetensorsFolder::open(scratch.path); }),
                 "lacks tensor \"layer.1.a\"");
  std::ofstream(scratch.path / "model.safetensors.index.json")
      << R"({"weight_map": {"a": "../x.safetensors"}})";
  expect_message(message_of([&] { SafetensorsFolder::open(scratch.path); }),
                 "expected a file name of the same folder");
}

TEST(SafetensorsRead, MissingSliceSaysSo) {
  Scratch scratch;
  fs::copy(kGolden / "sliced", scratch.path);
  fs::remove(scratch.path / "pytorch_model-00002-TP-001.safetensors");
  expect_message(message_of([&] { SafetensorsFolder::open(scratch.path); }),
                 "w2.weight\" has 2 slices");
}

}  // namespace
}  // namespace ashlar
