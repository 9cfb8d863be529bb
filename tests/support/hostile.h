// Broken and hostile files: each must end in an Error or a checkpoint, without a large allocation.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>

#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "support/scratch.h"

namespace ashlar {

namespace fs = std::filesystem;

/// The largest `new` of this program since it was last set to zero (hostile_gguf_test.cpp replaces
/// `new`).
extern size_t largest_allocation;

template <class T>
inline std::string le(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

inline std::unique_ptr<Checkpoint> open_gguf(const fs::path& path) { return GgufFile::open(path); }
inline std::unique_ptr<Checkpoint> open_safetensors(const fs::path& path) {
  return SafetensorsFolder::open(path);
}

// Opens the file and asks for every tensor. Anything but an Error fails the test, as does much
// memory. Returns the first error's message.
inline std::string survive(const fs::path& file,
                           std::unique_ptr<Checkpoint> (*open)(const fs::path&)) {
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

// Cuts the file at every length, and puts telling values at every place of its head.
inline void mutate(const std::string& valid, size_t head, const fs::path& file,
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

}  // namespace ashlar
