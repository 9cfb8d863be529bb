// The .npy format (NumPy Enhancement Proposal 1), version 1.0 written, 1 to 3 read.
#include "formats/npy.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "base/error.h"

namespace ashlar {
namespace {

std::string head(int64_t rows, int64_t cols) {
  return npy_header("<f4", fmt::format("({}, {})", rows, cols));
}

int64_t bytes_of(int64_t rows, int64_t cols) {
  return static_cast<int64_t>(head(rows, cols).size()) +
         rows * cols * static_cast<int64_t>(sizeof(float));
}

/// What follows 'key': in the header, up to `end`.
std::string_view entry(std::string_view header, std::string_view key, char end) {
  const size_t at = header.find(fmt::format("'{}':", key));
  if (at == std::string_view::npos) return {};
  std::string_view rest = header.substr(at + key.size() + 3);
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  return rest.substr(0, rest.find(end));
}

}  // namespace

std::string npy_header(std::string_view type, std::string_view shape) {
  std::string text =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}", type, shape);
  constexpr size_t kPreamble = 10;
  while ((kPreamble + text.size() + 1) % 64 != 0) text += ' ';
  text += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(text.size() & 255);
  out += static_cast<char>(text.size() >> 8);
  return out + text;
}

NpyIntegers::NpyIntegers(const std::filesystem::path& file) : file_(MappedFile::open(file)) {
  const auto all = file_->bytes();
  const std::string where = file.string();
  const auto* text = reinterpret_cast<const char*>(all.data());
  constexpr size_t kPreamble = 10;  // magic, version, length; 12 from version 2 on
  if (all.size() < kPreamble || std::memcmp(text, "\x93NUMPY", 6) != 0)
    fail(ErrorKind::format, "{}: expected a .npy file, found other bytes", where);
  const bool longer = text[6] > 1;
  uint32_t length = 0;
  if (!longer) {
    length = static_cast<unsigned char>(text[8]) + 256U * static_cast<unsigned char>(text[9]);
    begin_ = kPreamble;
  } else if (all.size() >= kPreamble + 2) {
    std::memcpy(&length, text + 8, 4);
    begin_ = kPreamble + 2;
  }
  if (begin_ == 0 || length > all.size() - begin_)
    fail(ErrorKind::format, "{}: the header ends beyond the file", where);
  const std::string_view header(text + begin_, length);
  begin_ += length;
  const std::string_view type = entry(header, "descr", ',');
  const std::string_view shape = entry(header, "shape", ')');
  static constexpr std::string_view kTypes[] = {"'|u1'", "'<i2'", "'<u2'", "'<i4'",
                                                "'<u4'", "'<i8'", "'<u8'"};
  if (std::ranges::find(kTypes, type) == std::end(kTypes)) {
    fail(
        ErrorKind::unsupported,
        "{}: expected whole numbers of 16, 32 or 64 bits, little-endian, found {}: write them with "
        "numpy.save(file, ids.astype(numpy.int32))",
        where, type);
  }
  kind_ = type[2];
  size_ = type[3] - '0';
  if (entry(header, "fortran_order", ',') != "False") {
    fail(ErrorKind::unsupported,
         "{}: is in Fortran's order: write it with numpy.save(file, numpy.ascontiguousarray(ids))",
         where);
  }
  std::string sizes(shape);
  long long rows = 0, cols = 0;
  char more = 0;
  if (std::sscanf(sizes.c_str(), "(%lld, %lld%c", &rows, &cols, &more) != 2 || rows < 0 ||
      cols < 0) {
    fail(ErrorKind::unsupported, "{}: expected a matrix [sequences, length], found the shape {})",
         where, shape);
  }
  rows_ = rows;
  cols_ = cols;
  const auto room = static_cast<int64_t>(all.size() - begin_) / size_;
  if (cols_ > 0 && rows_ > room / cols_) {
    fail(ErrorKind::format, "{}: expected {} rows of {} numbers, found {} numbers", where, rows_,
         cols_, room);
  }
}

std::span<const std::byte> NpyIntegers::bytes() const {
  return file_->bytes().subspan(begin_, static_cast<size_t>(rows_ * cols_ * size_));
}

void NpyIntegers::read(int64_t row, std::span<int32_t> out) const {
  const std::byte* from = bytes().data() + row * cols_ * size_;
  if (size_ == 4 && kind_ == 'i') {
    std::memcpy(out.data(), from, out.size_bytes());
    return;
  }
  for (int32_t& id : out) {
    uint64_t bits = 0;
    std::memcpy(&bits, from, static_cast<size_t>(size_));
    from += size_;
    const int unused = 64 - 8 * size_;
    const int64_t value =
        kind_ == 'i' ? static_cast<int64_t>(bits << unused) >> unused : static_cast<int64_t>(bits);
    if (value < std::numeric_limits<int32_t>::min() || value > std::numeric_limits<int32_t>::max())
      fail(ErrorKind::format, "{}: row {} holds {}, which is no token id", file_->path().string(),
           row, value);
    id = static_cast<int32_t>(value);
  }
}

NpyWriter::NpyWriter(const std::filesystem::path& file, int64_t rows, int64_t cols)
    : out_(file, bytes_of(rows, cols)) {
  out_.write(head(rows, cols));
}

void NpyWriter::add(std::span<const float> values) {
  out_.write(values.data(), values.size_bytes());
}

void NpyWriter::commit() { out_.commit(); }

}  // namespace ashlar
