// GGUF files that lie: by hand, every field in turn, and by mutation.
#include "support/hostile.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>

#include "support/scratch.h"

namespace ashlar {
size_t largest_allocation = 0;
}

// Every `new` of this program, so that the tests see the largest one. Not inlined, or gcc takes the
// pair for a mismatch.
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  if (size > ashlar::largest_allocation) ashlar::largest_allocation = size;
  return std::malloc(size);
}
[[gnu::noinline]] void* operator new(size_t size) {
  if (void* p = operator new(size, std::nothrow)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace ashlar {
namespace {

// Written by hand so that every field can lie.

struct Gguf {
  uint32_t magic = 0x46554747, version = 3;
  uint64_t tensors = 0, keys = 0;
  std::string metadata, table, data;

  Gguf& key(const std::string& name, uint32_t type, const std::string& value) {
    metadata += le<uint64_t>(name.size()) + name + le(type) + value;
    ++keys;
    return *this;
  }
  Gguf& tensor(const std::string& name, const std::vector<uint64_t>& sizes, uint32_t type,
               uint64_t offset) {
    table += le<uint64_t>(name.size()) + name + le(static_cast<uint32_t>(sizes.size()));
    for (const uint64_t size : sizes) table += le(size);
    table += le(type) + le(offset);
    ++tensors;
    return *this;
  }
  std::string bytes() const {
    std::string out = le(magic) + le(version) + le(tensors) + le(keys) + metadata + table;
    out.resize((out.size() + 31) / 32 * 32);
    return out + data;
  }
};

constexpr uint32_t kU32 = 4, kString = 8, kArray = 9, kF32 = 0, kQ8 = 8, kQ4K = 12;

Gguf small_gguf() {
  Gguf g;
  g.key("general.architecture", kString, le<uint64_t>(5) + "llama");
  g.key("a.strings", kArray,
        le(kString) + le<uint64_t>(2) + le<uint64_t>(1) + "x" + le<uint64_t>(0));
  g.key("a.ints", kArray, le(kU32) + le<uint64_t>(3) + le(1) + le(2) + le(3));
  g.tensor("one", {32, 2}, kF32, 0)
      .tensor("two", {64}, kQ8, 256)
      .tensor("three", {256, 1, 2}, kQ4K, 352);
  g.data.assign(640, '\3');
  return g;
}

TEST(HostileGguf, TheModelOfTheCorpusIsValid) {
  Scratch scratch;
  put_bytes(scratch.path / "x.gguf", small_gguf().bytes());
  EXPECT_EQ(survive(scratch.path / "x.gguf", open_gguf), "");
  EXPECT_EQ(GgufFile::open(scratch.path / "x.gguf")->entries().size(), 3u);
}

TEST(HostileGguf, EveryLieIsNamed) {
  Scratch scratch;
  const fs::path file = scratch.path / "x.gguf";
  const uint64_t huge = uint64_t{1} << 62;
  const auto with = [](const std::function<void(Gguf&)>& change) {
    Gguf g = small_gguf();
    change(g);
    return g.bytes();
  };
  const auto tensor = [&](const std::vector<uint64_t>& sizes, uint32_t type, uint64_t offset) {
    return with([&](Gguf& g) { g.tensor("bad", sizes, type, offset); });
  };
  const std::vector<std::pair<std::string, std::string>> corpus = {
      {"", "too few for a GGUF header"},
      {std::string(64, '\0'), "not a GGUF file"},
      {with([](Gguf& g) { g.version = 1; }), "version 1"},
      {with([](Gguf& g) { g.version = 4; }), "version 4"},
      {with([](Gguf& g) { g.version = 0x03000000; }), "big-endian"},
      {with([&](Gguf& g) { g.tensors = huge; }), "tensors announced"},
      {with([&](Gguf& g) { g.keys = huge; }), "metadata entries announced"},
      {with([](Gguf& g) { ++g.keys; }), ""},
      {with([](Gguf& g) { ++g.tensors; }), ""},
      {with([](Gguf& g) { g.metadata = le<uint64_t>(~uint64_t{0}) + g.metadata; }),
       "metadata key is"},
      {with([](Gguf& g) { g.key("a.ints", kU32, le(1)); }), "stands twice"},
      {with([](Gguf& g) { g.key("k", 13, le(1)); }), "has type 13"},
      {with([&](Gguf& g) { g.key("k", kString, le(huge)); }), "bytes long"},
      {with([](Gguf& g) { g.key("k", kString, le<uint64_t>(100000)); }), "truncated or broken"},
      {with([&](Gguf& g) { g.key("k", kArray, le(kU32) + le(huge)); }), "array elements announced"},
      {with([&](Gguf& g) { g.key("k", kArray, le(kString) + le(huge)); }),
       "array elements announced"},
      {with([](Gguf& g) {
         g.key("k", kArray, le(kArray) + le<uint64_t>(1) + le(kU32) + le<uint64_t>(0));
       }),
       "array of arrays"},
      {with([](Gguf& g) { g.key("k", kArray, le<uint32_t>(99) + le<uint64_t>(1)); }),
       "has type 99"},
      {with([](Gguf& g) { g.key("general.alignment", kU32, le(0)); }), "expected a power of two"},
      {with([](Gguf& g) { g.key("general.alignment", kU32, le(48)); }), "expected a power of two"},
      {with([](Gguf& g) { g.key("general.alignment", kU32, le(0x80000000u)); }),
       "expected a power of two"},
      {with([](Gguf& g) { g.key("general.alignment", kString, le<uint64_t>(0)); }),
       "expected an integer"},
      {with([](Gguf& g) { g.key("split.count", 2, le<uint16_t>(3)); }),
       "part of a file split in 3"},
      {with([](Gguf& g) { g.tensor("one", {4}, kF32, 640).data += std::string(32, 0); }),
       "stands twice"},
      {tensor({huge, huge, 2}, kF32, 0), "more elements than any memory"},
      {tensor({huge}, kF32, 0), "more elements than any memory"},
      {tensor({0, huge, huge}, kF32, 0), "more elements than any memory"},
      {tensor({~uint64_t{0}}, kF32, 0), "dimension of"},
      {tensor({1, 1, 1, 1, 1}, kF32, 0), "5 dimensions"},
      {with([](Gguf& g) {
         g.table += le<uint64_t>(1) + "b" + le(0xffffffffu);
         ++g.tensors;
       }),
       "dimensions"},
      {tensor({1 << 20}, kF32, 0), "data section has"},
      {tensor({4}, kF32, 1 << 20), "data section has"},
      {tensor({4}, kF32, ~uint64_t{31}), "data section has"},
      {tensor({4}, kF32, 8), "multiple of the alignment"},
      {tensor({4}, kF32, 32), "overlap"},
      {tensor({33}, kQ8, 0), "expected a multiple of 32"},
      {tensor({32}, kQ4K, 0), "expected a multiple of 256"},
      {tensor({256}, 16, 0), "overlap"},
      {with([](Gguf& g) { g.tensor("bad", {256}, 16, 640).data += std::string(96, '\0'); }),
       "type IQ2_XXS is not supported"},
      {with([](Gguf& g) { g.tensor("bad", {256}, 999, 640).data += std::string(96, '\0'); }),
       "unknown type 999"},
      {with([](Gguf& g) { g.data.resize(300); }), "truncated"},
  };
  for (size_t i = 0; i < corpus.size(); ++i) {
    put_bytes(file, corpus[i].first);
    const std::string message = survive(file, open_gguf);
    EXPECT_NE(message, "") << "file " << i;
    EXPECT_NE(message.find(corpus[i].second), std::string::npos)
        << "file " << i << ": " << message << "\n  lacks: " << corpus[i].second;
  }
}

TEST(HostileGguf, SplitsThatDoNotFit) {
  Scratch scratch;
  const auto part = [&](int i, int n) {
    return scratch.path / fmt::format("m-{:05}-of-{:05}.gguf", i, n);
  };
  const auto copy = [](const fs::path& from, const fs::path& to) {
    fs::copy_file(from, to, fs::copy_options::overwrite_existing);
  };
  for (int i = 1; i <= 3; ++i)
    copy(kGolden / fmt::format("split-{:05}-of-00003.gguf", i), part(i, 3));
  EXPECT_EQ(survive(part(1, 3), open_gguf), "");
  copy(part(2, 3), part(3, 3));  // a part twice
  expect_message(survive(part(1, 3), open_gguf),
                 "says it is part 2 of the split file, expected part 3");
  fs::remove(part(3, 3));
  expect_message(survive(part(1, 3), open_gguf), "part 3 of 3 of the split file is missing");
  copy(part(1, 3), part(1, 2));  // another count in the name
  copy(part(2, 3), part(2, 2));
  expect_message(survive(part(1, 2), open_gguf), "part of a file split in 3");
  copy(part(1, 3), part(1, 99999));
  expect_message(survive(part(1, 99999), open_gguf), "split in 3");
  copy(part(1, 3), scratch.path / "m.gguf");
  expect_message(survive(scratch.path / "m.gguf", open_gguf), "part of a file split in 3");
}

TEST(HostileGguf, MutationsSurvive) {
  Scratch scratch;
  const std::string valid = small_gguf().bytes();
  mutate(valid, valid.size() - 640, scratch.path / "x.gguf", open_gguf);
}

}  // namespace
}  // namespace ashlar
