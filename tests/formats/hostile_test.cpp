// Broken and hostile files: a corpus made from valid ones, each of which must end in an Error or a
// checkpoint, without a large allocation.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <random>

#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "scratch.h"

namespace {
size_t largest_allocation = 0;
}

// Every `new` of this program, so that the tests see the largest one. Not inlined, or gcc takes the
// pair for a mismatch.
[[gnu::noinline]] void* operator new(size_t size) {
  if (size > largest_allocation) largest_allocation = size;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace ashlar {
namespace {

namespace fs = std::filesystem;

template <class T>
std::string le(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

std::unique_ptr<Checkpoint> open_gguf(const fs::path& path) { return GgufFile::open(path); }
std::unique_ptr<Checkpoint> open_safetensors(const fs::path& path) {
  return SafetensorsFolder::open(path);
}

// Opens the file and asks for every tensor. Anything but an Error fails the test, as does much
// memory. Returns the first error's message.
std::string survive(const fs::path& file, std::unique_ptr<Checkpoint> (*open)(const fs::path&)) {
  constexpr size_t kMost = size_t{4} << 20;  // the files have a few kilobytes
  std::string first;
  largest_allocation = 0;
  try {
    const auto checkpoint = open(file);
    for (const auto& [name, entry] : checkpoint->entries()) {
      const std::string message =
          message_of([&, n = name] { (void)to_f32(checkpoint->tensor(n)); });
      if (message != "no error" && first.empty()) first = message;
    }
  } catch (const Error& e) {
    first = e.what();
  }
  EXPECT_LT(largest_allocation, kMost) << first;
  return first;
}

// ---- GGUF, written by hand so that every field can lie.

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

// Cuts the file at every length, and puts telling values at every place of its head.
void mutate(const std::string& valid, size_t head, const fs::path& file,
            std::unique_ptr<Checkpoint> (*open)(const fs::path&)) {
  for (size_t length = 0; length < valid.size(); length += length < head ? 1 : 37) {
    put_bytes(file, valid.substr(0, length));
    EXPECT_NE(survive(file, open), "") << "cut at " << length;
  }
  const std::string words[] = {le<uint64_t>(0), le<uint64_t>(~uint64_t{0}),
                               le<uint64_t>(uint64_t{1} << 63), le<uint64_t>(uint64_t{1} << 32),
                               le<uint64_t>(0x7fffffff)};
  for (size_t at = 0; at < head; ++at) {
    for (const int value : std::initializer_list<int>{0, 0x7f, 0xff, '"', '[', '9'}) {
      std::string bytes = valid;
      bytes[at] = static_cast<char>(value);
      put_bytes(file, bytes);
      survive(file, open);
    }
    for (const std::string& word : words) {
      if (at + word.size() > valid.size()) continue;
      std::string bytes = valid;
      bytes.replace(at, word.size(), word);
      put_bytes(file, bytes);
      survive(file, open);
    }
  }
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = valid;
    for (int change = 0; change < 1 + round % 4; ++change) {
      const size_t at = random() % head, other = random() % head,
                   length = std::min<size_t>(random() % 24, head - at);
      switch (random() % 3) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes.erase(at, length);
          break;
        default:
          bytes.insert(other, valid.substr(at, length));
          break;
      }
    }
    put_bytes(file, bytes);
    survive(file, open);
  }
}

TEST(HostileGguf, MutationsSurvive) {
  Scratch scratch;
  const std::string valid = small_gguf().bytes();
  mutate(valid, valid.size() - 640, scratch.path / "x.gguf", open_gguf);
}

// ---- safetensors

std::string safetensors(const std::string& header, size_t data) {
  return le<uint64_t>(header.size()) + header + std::string(data, '\1');
}

TEST(HostileSafetensors, EveryLieIsNamed) {
  Scratch scratch;
  const fs::path file = scratch.path / "x.safetensors";
  const auto one = [](const std::string& dtype, const std::string& shape,
                      const std::string& offsets, size_t data) {
    return safetensors(R"({"t":{"dtype":")" + dtype + R"(","shape":)" + shape +
                           R"(,"data_offsets":)" + offsets + "}}",
                       data);
  };
  const std::string t = R"("dtype":"F32","shape":[2],"data_offsets":)";
  const std::vector<std::pair<std::string, std::string>> corpus = {
      {"", "too few"},
      {"1234567", "too few"},
      {le<uint64_t>(~uint64_t{0}) + "{}", "header of 18446744073709551615 bytes"},
      {le<uint64_t>(3) + "{}", "header of 3 bytes in a file of 10"},
      {safetensors("", 0), "does not start with {"},
      {safetensors("[]", 0), "does not start with {"},
      {safetensors("{", 0), "not valid JSON"},
      {safetensors("{} x", 0), "not valid JSON"},
      {safetensors("{\"t\xff\":{}}", 0), "not valid JSON"},
      {safetensors(R"({"t":{}})", 0), "lacks dtype, shape or data_offsets"},
      {safetensors(R"({"t":5})", 0), "no list of tensors"},
      {safetensors(R"({"t":"F32"})", 0), "no list of tensors"},
      {safetensors(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":{"a":1}}})", 4),
       "no list of tensors"},
      {safetensors(R"({"__metadata__":{"a":1}})", 0), "no list of tensors"},
      {safetensors(R"({"__metadata__":{"a":{"b":"c"}}})", 0), "no list of tensors"},
      {safetensors(R"({"t":)" + std::string(100'000, '['), 0), "no list of tensors"},
      {safetensors(R"({"t":)" +
                       [] {
                         std::string s;
                         for (int i = 0; i < 50'000; ++i) s += "{\"a\":";
                         return s;
                       }(),
                   0),
       "no list of tensors"},
      {safetensors("{\"a\":{" + t + "[0,8]},\"a\":{" + t + "[8,16]}}", 16), "\"a\" stands twice"},
      {safetensors("{\"a\":{" + t + "[0,8]},\"b\":{" + t + "[4,12]}}", 12),
       "overlap or leave a hole"},
      {safetensors("{\"a\":{" + t + "[0,8]},\"b\":{" + t + "[0,8]}}", 8),
       "overlap or leave a hole"},
      {safetensors("{\"a\":{" + t + "[0,8]},\"b\":{" + t + "[12,20]}}", 20),
       "overlap or leave a hole"},
      {one("F32", "[2]", "[0,8]", 9), "after the last tensor"},
      {one("F32", "[2]", "[0,8]", 7), "truncated or broken"},
      {one("F32", "[2]", "[8,0]", 8), "not [begin, end]"},
      {one("F32", "[2]", "[0]", 8), "not [begin, end]"},
      {one("F32", "[2]", "[0,8,8]", 8), "not [begin, end]"},
      {one("F32", "[2]", "[0,18446744073709551615]", 8), "truncated or broken"},
      {one("F32", "[2]", "[0,18446744073709551616]", 8), "too large a number"},
      {one("F32", "[2]", "[-8,0]", 8), "a negative number"},
      {one("F32", "[-2]", "[0,8]", 8), "a negative number"},
      {one("F32", "[2.0]", "[0,8]", 8), "a fraction"},
      {one("F32", "[3]", "[0,8]", 8), "needs 12 bytes, but data_offsets span 8"},
      {one("F32", "[4294967296,4294967296]", "[0,0]", 0), "more elements than any memory"},
      {one("F32", "[0,4294967296,4294967296]", "[0,0]", 0), "more elements than any memory"},
      {one("F32", "[18446744073709551615]", "[0,8]", 8), "dimension of"},
      {one("F4", "[3]", "[0,1]", 1), "is no number of bytes"},
      {one("F32", "[" + std::string(200, '1') + "]", "[0,8]", 8), "too large a number"},
      {one(
           "F32",
           [] {
             std::string s = "[1";
             for (int i = 0; i < 100; ++i) s += ",1";
             return s + "]";
           }(),
           "[0,4]", 4),
       "more than 32 numbers"},
      {one("Q99", "[2]", "[0,8]", 8), "Q99 is not read as a weight"},
  };
  for (size_t i = 0; i < corpus.size(); ++i) {
    put_bytes(file, corpus[i].first);
    const std::string message = survive(file, open_safetensors);
    EXPECT_NE(message.find(corpus[i].second), std::string::npos)
        << "file " << i << ": " << message << "\n  lacks: " << corpus[i].second;
    EXPECT_LT(message.size(), 1000u);
  }
}

TEST(HostileSafetensors, CompositesThatDoNotFit) {
  Scratch scratch;
  const fs::path file = scratch.path / "x.safetensors";
  struct Piece {
    std::string name, dtype, shape;
    size_t bytes;
  };
  const auto made = [](const std::vector<Piece>& pieces) {
    std::string header = "{";
    size_t at = 0;
    for (const Piece& p : pieces) {
      header += fmt::format(R"({}"{}":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})",
                            at ? "," : "", p.name, p.dtype, p.shape, at, at + p.bytes);
      at += p.bytes;
    }
    return safetensors(header + "}", at);
  };
  const Piece packed = {"w.weight_packed", "I32", "[2,4]", 32},
              scale = {"w.weight_scale", "BF16", "[2,1]", 4};
  const Piece blocks = {"e_blocks", "U8", "[2,1,16]", 32};
  const Piece fp8 = {"f.weight", "F8_E4M3", "[4,256]", 1024};
  const std::vector<std::pair<std::vector<Piece>, std::string>> corpus = {
      {{packed, scale}, "without w.weight_shape"},
      {{packed}, "without w.weight_scale"},
      {{packed, scale, {"w.weight_shape", "I64", "[2]", 16}},
       "not 4 bits per value"},  // 0x0101.. twice
      {{packed, scale, {"w.weight_shape", "F32", "[2]", 8}}, "expected two integers"},
      {{packed, scale, {"w.weight_shape", "I64", "[1]", 8}}, "expected two integers"},
      {{blocks, {"e_scales", "U8", "[2,2]", 4}}, "expected [..., n, 16] and [..., n]"},
      {{blocks, {"e_scales", "U8", "[2,1]", 2}, {"e", "F32", "[1]", 4}},
       "both whole and in pieces"},
      {{fp8, {"f.weight_scale_inv", "F32", "[3,2]", 24}}, "do not fit"},
      {{fp8, {"f.weight_scale_inv", "F32", "[1,5]", 20}}, "do not fit"},
      {{fp8, {"f.weight_scale_inv", "F32", "[0]", 0}}, "do not fit"},
      {{fp8, {"f.weight_scale_inv", "I32", "[1,2]", 8}}, "FP8 scales of type I32"},
      {{fp8}, "without scales"},
      {{{"f.weight", "F8_E4M3", "[4]", 4}, {"f.weight_scale", "F32", "[1]", 4}}, "matrices only"},
      {{{"f.weight", "F8_E4M3", "[9007199254740992,0]", 0}, {"f.weight_scale", "F32", "[1]", 4}},
       ""},
      {{{"f.weight", "F8_E4M3", "[0,9007199254740992]", 0}, {"f.weight_scale", "F32", "[]", 4}},
       ""},
  };
  for (const auto& [pieces, expected] : corpus) {
    put_bytes(file, made(pieces));
    const std::string message = survive(file, open_safetensors);
    EXPECT_NE(message.find(expected), std::string::npos) << message << "\n  lacks: " << expected;
  }
}

TEST(HostileSafetensors, IndicesThatDoNotFit) {
  Scratch scratch;
  const fs::path index = scratch.path / "model.safetensors.index.json";
  const std::pair<const char*, const char*> corpus[] = {
      {"", "not valid JSON"},
      {"[]", "no \"weight_map\""},
      {R"({"weight_map": 5})", "no \"weight_map\""},
      {R"({"weight_map": {"a": 5}})", "expected a file name"},
      {R"({"weight_map": {"a": ["x"]}})", "an array"},
      {R"({"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}})", "stands twice"},
      {R"({"weight_map": {"a": "/etc/passwd"}})", "a file name of the same folder"},
      {R"({"weight_map": {"a": ""}})", "a file name of the same folder"},
      {R"({"weight_map": {"a": "x.safetensors"}})", "which is missing"},
  };
  for (const auto& [text, expected] : corpus) {
    put_bytes(index, text);
    expect_message(survive(scratch.path, open_safetensors), expected);
  }
  put_bytes(index, "{\"metadata\":" + std::string(100'000, '['));
  expect_message(survive(scratch.path, open_safetensors), "nested deeper than");
}

TEST(HostileSafetensors, MutationsSurvive) {
  Scratch scratch;
  for (const char* golden : {"plain/model.safetensors", "int4/model.safetensors"}) {
    const std::string valid = bytes_of(kGolden / golden);
    uint64_t header = 0;
    std::memcpy(&header, valid.data(), sizeof(header));
    mutate(valid, 8 + header, scratch.path / "x.safetensors", open_safetensors);
  }
}

}  // namespace
}  // namespace ashlar
