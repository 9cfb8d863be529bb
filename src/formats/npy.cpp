// The .npy format, version 1.0 (NumPy Enhancement Proposal 1).
#include "formats/npy.h"

#include <fmt/core.h>

#include <string>

namespace ashlar {
namespace {

/// Magic, version, length and text of the header, together a multiple of 64 bytes.
std::string head(int64_t rows, int64_t cols) {
  std::string text =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, cols);
  constexpr size_t kPreamble = 10;
  while ((kPreamble + text.size() + 1) % 64 != 0) text += ' ';
  text += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(text.size() & 255);
  out += static_cast<char>(text.size() >> 8);
  return out + text;
}

int64_t bytes_of(int64_t rows, int64_t cols) {
  return static_cast<int64_t>(head(rows, cols).size()) +
         rows * cols * static_cast<int64_t>(sizeof(float));
}

}  // namespace

NpyWriter::NpyWriter(const std::filesystem::path& file, int64_t rows, int64_t cols)
    : out_(file, bytes_of(rows, cols)) {
  out_.write(head(rows, cols));
}

void NpyWriter::add(std::span<const float> values) {
  out_.write(values.data(), values.size_bytes());
}

void NpyWriter::commit() { out_.commit(); }

}  // namespace ashlar
