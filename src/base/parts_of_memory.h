// Parts that lie one after another in a piece of memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ashlar {

/// Places parts one after another. Without memory (null) the parts are null and only bytes() counts,
/// so that one function says both how much is needed and where everything lies. A part begins where
/// the one before it ends: sizes that are whole cache lines keep all of them aligned.
class PartsOfMemory {
 public:
  explicit PartsOfMemory(std::byte* memory) : memory_(memory) {}

  /// Room for n objects.
  template <class T>
  __attribute__((always_inline)) void place(T*& part, int64_t n) {
    part = memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + bytes_);
    bytes_ += n * static_cast<int64_t>(sizeof(T));
  }

  __attribute__((always_inline)) int64_t bytes() const { return bytes_; }

 private:
  std::byte* memory_;
  int64_t bytes_ = 0;
};

}  // namespace ashlar
