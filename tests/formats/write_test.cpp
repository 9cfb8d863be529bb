// Writers: what they write reads back, and failures leave old files alone.
#include <gtest/gtest.h>

#include <cstring>

#include "formats/gguf.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "support/scratch.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

Tensor counting(Format format, Sizes sizes, float first) {
  std::byte* data = nullptr;
  const Tensor t = make_tensor(Format::f32, std::move(sizes), &data);
  for (int64_t i = 0; i < t.elements(); ++i) {
    reinterpret_cast<float*>(data)[i] = first + static_cast<float>(i % 97) / 8;
  }
  return convert(t, format);
}

void expect_same_bytes(const Tensor& found, const Tensor& expected, const std::string& name) {
  EXPECT_EQ(found.format, expected.format) << name;
  ASSERT_EQ(found.sizes, expected.sizes) << name;
  EXPECT_EQ(std::memcmp(found.data, expected.data, static_cast<size_t>(expected.bytes())), 0)
      << name;
}

TEST(GgufWrite, TensorsAndMetadataReadBack) {
  Scratch scratch;
  const fs::path file = scratch.path / "out.gguf";
  const auto golden = GgufFile::open(kGolden / "blocks.gguf");
  const auto values = GgufFile::open(kGolden / "metadata.gguf");
  GgufWriter writer;
  for (const auto& [key, value] : values->metadata()) writer.set(key, value);
  writer.set("own.string", "a\0b");
  writer.set("own.bool", true);
  writer.set("own.u32", uint32_t{7});
  writer.set("own.f32", 0.5f);
  writer.set("own.strings", std::vector<std::string>{"x", ""});
  writer.set("own.flags", std::vector<bool>{true, false});
  writer.set("own.u32", uint32_t{8});  // the later value holds
  for (const auto& [name, entry] : golden->entries()) writer.add_tensor(name, golden->tensor(name));
  const Tensor scalar = counting(Format::f32, {}, 3), deep = counting(Format::f16, {2, 3, 4, 5}, 0);
  writer.add_tensor("scalar", scalar);
  writer.add_tensor("deep", deep);
  int64_t last = 0, all = 0;
  writer.on_progress([&](int64_t done, int64_t total) {
    EXPECT_GT(done, last);
    last = done;
    all = total;
  });
  writer.write(file);
  EXPECT_EQ(last, all);
  EXPECT_EQ(names_in(scratch.path), (std::vector<std::string>{"out.gguf"}));

  const auto read = GgufFile::open(file);
  for (const auto& [key, value] : values->metadata()) {
    ASSERT_NE(read->find(key), nullptr) << key;
    EXPECT_EQ(read->find(key)->type(), value.type()) << key;
    EXPECT_EQ(read->find(key)->element_type(), value.element_type()) << key;
    EXPECT_EQ(read->find(key)->data(), value.data()) << key;
  }
  EXPECT_EQ(read->find("own.u32")->as_int(), 8);
  EXPECT_EQ(read->find("own.flags")->as_ints(), (std::vector<int64_t>{1, 0}));
  for (const auto& [name, entry] : golden->entries()) {
    expect_same_bytes(read->tensor(name), golden->tensor(name), name);
  }
  EXPECT_EQ(to_f32(read->tensor("scalar")), to_f32(scalar));
  expect_same_bytes(read->tensor("deep"), deep, "deep");
}

TEST(GgufWrite, RefusesWhatTheFormatCannotHold) {
  GgufWriter writer;
  const Tensor x = counting(Format::f32, {2, 32}, 0);
  const auto add = [&](const std::string& name, Format f, const Sizes& sizes) {
    return message_of([&] { writer.add_tensor(name, f, sizes, [&] { return x; }); });
  };
  expect_message(add("a", Format::int4_g32, {2, 32}), "GGUF has no type for int4_g32");
  expect_message(add(std::string(64, 'n'), Format::f32, {2, 32}), "names have 1 to 63 bytes");
  expect_message(add("a", Format::q8_0, {2, 33}), "do not divide");
  expect_message(add("a", Format::f32, {1, 1, 1, 2, 2}), "at most 4 dimensions");
}

TEST(GgufWrite, FullDiskLeavesTheOldFile) {
  Scratch scratch;
  const fs::path file = scratch.path / "out.gguf";
  put_bytes(file, "precious");
  GgufWriter writer;
  writer.add_tensor("big", counting(Format::f32, {512, 512}, 0));
  {
    FullDisk full(100'000);
    expect_message(message_of([&] { writer.write(file); }), "File too large");
  }
  EXPECT_EQ(bytes_of(file), "precious");
  EXPECT_EQ(names_in(scratch.path), (std::vector<std::string>{"out.gguf"}));
  expect_message(message_of([&] { writer.write(scratch.path / "no" / "folder.gguf"); }),
                 "there is no folder");
}

TEST(GgufWrite, BrokenPromiseLeavesTheOldFile) {
  Scratch scratch;
  const fs::path file = scratch.path / "out.gguf";
  put_bytes(file, "precious");
  GgufWriter writer;
  writer.add_tensor("t", Format::f32, {2, 2}, [] { return counting(Format::f32, {2, 3}, 0); });
  expect_message(message_of([&] { writer.write(file); }),
                 "promised f32 [2, 2], produced f32 [2, 3]");
  GgufWriter twice;
  twice.add_tensor("t", counting(Format::f32, {2}, 0));
  twice.add_tensor("t", counting(Format::f32, {2}, 0));
  expect_message(message_of([&] { twice.write(file); }), "added twice");
  EXPECT_EQ(bytes_of(file), "precious");
}

SafetensorsWriter five_tensors() {
  SafetensorsWriter writer;
  writer.add_tensor("a.bf16", counting(Format::bf16, {3, 5}, 1));
  writer.add_tensor("b.f32", counting(Format::f32, {7}, 2));
  writer.add_tensor("c.f16", counting(Format::f16, {1, 3}, 3));
  writer.add_tensor("quo\"te\n", counting(Format::f32, {2, 2}, 4));
  writer.add_tensor("scalar", counting(Format::bf16, {}, 5));
  return writer;
}

void expect_five_tensors(const fs::path& folder) {
  const auto read = SafetensorsFolder::open(folder);
  EXPECT_EQ(read->metadata().at("format"), "pt");
  ASSERT_EQ(read->entries().size(), 5u);
  expect_same_bytes(read->tensor("a.bf16"), counting(Format::bf16, {3, 5}, 1), "a");
  expect_same_bytes(read->tensor("b.f32"), counting(Format::f32, {7}, 2), "b");
  expect_same_bytes(read->tensor("c.f16"), counting(Format::f16, {1, 3}, 3), "c");
  expect_same_bytes(read->tensor("quo\"te\n"), counting(Format::f32, {2, 2}, 4), "quote");
  expect_same_bytes(read->tensor("scalar"), counting(Format::bf16, {}, 5), "scalar");
}

TEST(SafetensorsWrite, OneFileOrShardsReadBack) {
  Scratch scratch;
  const fs::path folder = scratch.path / "model";
  five_tensors().write(folder);
  EXPECT_TRUE(fs::exists(folder / "model.safetensors"));
  expect_five_tensors(folder);
  five_tensors().write(folder, 40);
  EXPECT_TRUE(fs::exists(folder / "model-00001-of-00003.safetensors"));
  EXPECT_FALSE(fs::exists(folder / "model.safetensors"));  // or readers would prefer it
  expect_five_tensors(folder);
  five_tensors().write(folder);
  EXPECT_FALSE(fs::exists(folder / "model.safetensors.index.json"));
  expect_five_tensors(folder);
}

TEST(SafetensorsWrite, FullDiskLeavesTheOldFile) {
  Scratch scratch;
  put_bytes(scratch.path / "model.safetensors", "precious");
  SafetensorsWriter writer;
  writer.add_tensor("big", counting(Format::f32, {512, 512}, 0));
  {
    FullDisk full(100'000);
    expect_message(message_of([&] { writer.write(scratch.path); }), "File too large");
    expect_message(message_of([&] { writer.write(scratch.path / "a" / "b"); }), "File too large");
  }
  EXPECT_EQ(bytes_of(scratch.path / "model.safetensors"), "precious");
  EXPECT_EQ(names_in(scratch.path), (std::vector<std::string>{"model.safetensors"}));
}

TEST(SafetensorsWrite, RefusesBlockFormats) {
  SafetensorsWriter writer;
  expect_message(message_of([&] {
                   writer.add_tensor("q", counting(Format::q8_0, {2, 32}, 0));
                 }),
                 "f32, f16 or bf16");
}

TEST(Npy, HeaderIsNumpys) {
  Scratch scratch;
  const float values[6] = {1, 2, 3, 4, 5, 6};
  NpyWriter out(scratch.path / "x.npy", 2, 3);
  out.add(std::span(values).first(3));
  out.add(std::span(values).subspan(3));
  EXPECT_FALSE(fs::exists(scratch.path / "x.npy"));
  out.commit();
  const std::string bytes = bytes_of(scratch.path / "x.npy");
  ASSERT_EQ(bytes.size(), 128 + sizeof(values));
  EXPECT_EQ(bytes.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  EXPECT_EQ(bytes.substr(10, 59), "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }");
  EXPECT_EQ(bytes[127], '\n');
  EXPECT_EQ(std::memcmp(bytes.data() + 128, values, sizeof(values)), 0);
}

}  // namespace
}  // namespace ashlar
