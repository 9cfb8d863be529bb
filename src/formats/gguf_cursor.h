// A cursor over the bytes of a GGUF file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace ashlar {

/// Every read is checked against what remains; errors name the file and the byte.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, std::string where)
      : bytes_(bytes), where_(std::move(where)) {}

  size_t position() const { return at_; }
  size_t remaining() const { return bytes_.size() - at_; }
  const std::string& where() const { return where_; }

  template <class T>
  T read(std::string_view what) {
    need(sizeof(T), what);
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  std::string string(std::string_view what, uint64_t limit) {
    const auto length = read<uint64_t>(what);
    if (length > limit) {
      fail(ErrorKind::format, "{}: {} is {} bytes long, expected at most {}", where_, what, length,
           limit);
    }
    need(length, what);
    std::string value(reinterpret_cast<const char*>(bytes_.data() + at_), length);
    at_ += length;
    return value;
  }

  // That `count` items of at least `size` bytes each can still follow.
  void need_items(uint64_t count, uint64_t size, std::string_view what) const {
    if (count > remaining() / size) {
      fail(ErrorKind::format,
           "{}: {} {} announced at byte {}, but only {} bytes remain; truncated or broken", where_,
           count, what, at_, remaining());
    }
  }

 private:
  void need(uint64_t size, std::string_view what) const {
    if (size > remaining()) {
      fail(ErrorKind::format,
           "{}: {} needs {} bytes at byte {}, but only {} remain; truncated or broken", where_,
           what, size, at_, remaining());
    }
  }
  std::span<const std::byte> bytes_;
  size_t at_ = 0;
  std::string where_;
};

}  // namespace ashlar
