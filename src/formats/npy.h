// NumPy's .npy files, written.
#pragma once

#include <cstdint>
#include <filesystem>

namespace ashlar {

/// A float32 matrix [rows, cols], C order. Error(io).
void write_npy(const std::filesystem::path& file, const float* values, int64_t rows, int64_t cols);

}  // namespace ashlar
