// The hashes by which the hub names files: SHA-256 of large ones, Git's SHA-1 of small ones.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ashlar {

/// Takes bytes piece by piece; hex() ends it.
class Sha {
 public:
  enum class Kind { sha1, sha256 };
  explicit Sha(Kind kind);
  void add(const void* bytes, size_t count);
  void add(std::string_view bytes) { add(bytes.data(), bytes.size()); }
  std::string hex();

 private:
  void block(const uint8_t* bytes);
  Kind kind_;
  std::array<uint32_t, 8> state_{};
  std::array<uint8_t, 64> held_{};
  uint64_t count_ = 0;  // bytes
};

}  // namespace ashlar
