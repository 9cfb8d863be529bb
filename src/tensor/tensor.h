// A tensor: a format, a shape, and bytes that somebody owns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tensor/format.h"

namespace ashlar {

/// Sizes from the slowest axis to the fastest, as papers and PyTorch write them.
using Sizes = std::vector<int64_t>;

/// Product of the sizes; Error(format) naming `where` when one is negative or the product of those
/// that are not zero exceeds 2^56, so that bytes and products of fewer sizes always fit in int64.
int64_t element_count(const Sizes& sizes, std::string_view where);

std::string to_string(const Sizes& sizes);  // "[32, 64]"

/// A view with shared ownership of the bytes behind it (a mapped file or a buffer). The last axis
/// is a multiple of the format's block length. Copying copies the view.
struct Tensor {
  Format format = Format::f32;
  Sizes sizes;
  const std::byte* data = nullptr;
  std::shared_ptr<const void> owner;

  int64_t cols() const { return sizes.empty() ? 1 : sizes.back(); }
  int64_t rows() const;  // product of all axes but the last
  int64_t elements() const { return rows() * cols(); }
  int64_t bytes() const { return rows() * row_bytes(format, cols()); }
  const std::byte* row(int64_t r) const { return data + r * row_bytes(format, cols()); }
};

/// A new, zeroed tensor and the place to write it. 64-byte aligned. Throws Error(resource).
Tensor make_tensor(Format format, Sizes sizes, std::byte** data);

/// All values as float32.
std::vector<float> to_f32(const Tensor& tensor);

/// The same values in another format; a format that cannot hold this row length is an
/// Error(invalid).
Tensor convert(const Tensor& tensor, Format format);

}  // namespace ashlar
