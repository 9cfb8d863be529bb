// Memory straight from the system: zeros, there when first touched, in huge pages where granted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace ashlar {

/// Owns its bytes; movable. Not for small things: every piece takes whole pages.
class MappedMemory {
 public:
  MappedMemory() = default;
  /// `bytes` zeros, aligned to a page, from 2 MiB on to a huge page. Empty when the system has none
  /// to give (data() is null) or bytes is 0.
  explicit MappedMemory(int64_t bytes);

  std::byte* data() const { return data_.get(); }
  explicit operator bool() const { return data_ != nullptr; }

  /// Bytes of all that there are in the program.
  static int64_t total();

 private:
  struct Unmap {
    size_t bytes;
    Unmap() : bytes(0) {}
    explicit Unmap(size_t n) : bytes(n) {}
    void operator()(std::byte* p) const;
  };
  std::unique_ptr<std::byte, Unmap> data_;
};

}  // namespace ashlar
