// The .npy format, version 1.0 (NumPy Enhancement Proposal 1).
#include "formats/npy.h"

#include <fmt/core.h>

#include <string>

#include "formats/output_file.h"

namespace ashlar {

void write_npy(const std::filesystem::path& file, const float* values, int64_t rows, int64_t cols) {
  std::string header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, cols);
  constexpr size_t kPreamble = 10;  // magic, version, header length
  while ((kPreamble + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  OutputFile out(file);
  out.write(std::string("\x93NUMPY\x01\x00", 8));
  const char length[2] = {static_cast<char>(header.size() & 255),
                          static_cast<char>(header.size() >> 8)};
  out.write(length, sizeof(length));
  out.write(header);
  out.write(values, static_cast<size_t>(rows * cols) * sizeof(float));
  out.commit();
}

}  // namespace ashlar
