// NumPy's .npy files, written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "base/output_file.h"

namespace ashlar {

/// Writes a float32 matrix [rows, cols], C order, as its values come. Error(io) or Error(resource).
class NpyWriter {
 public:
  NpyWriter(const std::filesystem::path& file, int64_t rows, int64_t cols);
  void add(std::span<const float> values);
  void commit();  // all rows * cols values were added; the file appears

 private:
  OutputFile out_;
};

}  // namespace ashlar
