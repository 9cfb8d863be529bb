// Files for tools/check_written.py, which reads them with the reference libraries. It runs where
// the environment names a Python that has them: ASHLAR_PYTHON=venv/bin/python.
#include <gtest/gtest.h>

#include <cstdlib>

#include "formats/gguf.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "support/paths.h"
#include "support/scratch.h"

namespace ashlar {
namespace {

Tensor counting(Format format, Sizes sizes, float first) {
  std::byte* data = nullptr;
  const Tensor t = make_tensor(Format::f32, std::move(sizes), &data);
  for (int64_t i = 0; i < t.elements(); ++i) {
    reinterpret_cast<float*>(data)[i] = first + static_cast<float>(i % 97) / 8;
  }
  return convert(t, format);
}

void write_gguf(const std::filesystem::path& file) {
  GgufWriter writer;
  writer.set("general.architecture", "llama");
  writer.set("a.u32", uint32_t{7});
  writer.set("a.i64", -(int64_t{1} << 40));
  writer.set("a.f32", 0.5f);
  writer.set("a.yes", true);
  writer.set("a.strings", std::vector<std::string>{"", "日本"});
  writer.set("a.ints", std::vector<int32_t>{1, -2});
  const Tensor x = counting(Format::f32, {4, 512}, -3);
  writer.add_tensor("x", x);
  for (int i = 0; i < kFormats; ++i) {
    const auto format = static_cast<Format>(i);
    if (format == Format::f32 || info(format).from_f32 == nullptr) continue;
    const Tensor blocks = convert(x, format);
    writer.add_tensor(std::string(info(format).name), blocks);
    writer.add_tensor(std::string(info(format).name) + ".f32", convert(blocks, Format::f32));
  }
  writer.write(file);
}

TEST(Written, TheReferenceLibrariesReadIt) {
  const char* python = std::getenv("ASHLAR_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "ASHLAR_PYTHON is not set";
  Scratch scratch;
  write_gguf(scratch.path / "out.gguf");
  SafetensorsWriter writer;
  writer.add_tensor("a", counting(Format::bf16, {3, 5}, 1));
  writer.add_tensor("b", counting(Format::f32, {7}, 2));
  writer.add_tensor("c", counting(Format::f16, {1, 3}, 3));
  writer.add_tensor("d", counting(Format::f32, {2, 2, 2}, 4));
  writer.write(scratch.path / "single");
  writer.write(scratch.path / "sharded", 32);
  const Tensor x = counting(Format::f32, {4, 512}, -3);
  NpyWriter npy(scratch.path / "x.npy", 4, 512);
  npy.add({reinterpret_cast<const float*>(x.data), 4 * 512});
  npy.commit();
  const std::string command = fmt::format("'{}' '{}/tools/check_written.py' '{}'", python,
                                          source_dir(), scratch.path.string());
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
}

}  // namespace
}  // namespace ashlar
