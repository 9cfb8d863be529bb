// Long lists of token ids as .npy files: written from memory, read where they lie.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/mapped_file.h"
#include "base/output_file.h"

namespace ashlar {

/// A .npy file of version 1: `type` such as <u2, `shape` such as (5,) or (2, 3).
void write_npy(OutputFile& file, std::string_view type, std::string_view shape,
               std::span<const std::byte> values);

/// A list of uint16 or int32, mapped. Throws Error(io), Error(format).
class NpyList {
 public:
  explicit NpyList(const std::filesystem::path& file);
  int64_t size() const { return size_; }
  void read(int64_t begin, std::span<int32_t> out) const;
  std::span<const std::byte> bytes() const;  // of the numbers

 private:
  std::shared_ptr<const MappedFile> file_;
  size_t begin_ = 0;
  int64_t size_ = 0;
  bool wide_ = false;  // int32
};

}  // namespace ashlar
