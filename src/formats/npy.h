// NumPy's .npy files: matrices of float32 written, matrices of whole numbers read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/mapped_file.h"
#include "base/output_file.h"

namespace ashlar {

/// What stands before the numbers, a multiple of 64 bytes: `type` such as <u2, `shape` such as (5,)
/// or (2, 3).
std::string npy_header(std::string_view type, std::string_view shape);

/// Writes a float32 matrix [rows, cols], C order, as its values come. Error(io) or Error(resource).
class NpyWriter {
 public:
  NpyWriter(const std::filesystem::path& file, int64_t rows, int64_t cols);
  void add(std::span<const float> values);
  void commit();  // all rows * cols values were added; the file appears

 private:
  OutputFile out_;
};

/// A matrix of whole numbers [rows, cols] (uint8, or int or uint of 16, 32 or 64 bits;
/// little-endian, C order), mapped. Throws Error(io), Error(format), or Error(unsupported) for
/// other arrays.
class NpyIntegers {
 public:
  explicit NpyIntegers(const std::filesystem::path& file);
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  /// `cols` numbers of a row as int32. Throws Error(format) for one beyond int32.
  void read(int64_t row, std::span<int32_t> out) const;
  std::span<const std::byte> bytes() const;  // of the numbers

 private:
  std::shared_ptr<const MappedFile> file_;
  size_t begin_ = 0;
  int64_t rows_ = 0, cols_ = 0;
  char kind_ = 'i';  // i or u
  int size_ = 4;     // bytes of a number
};

}  // namespace ashlar
