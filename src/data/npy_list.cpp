// The .npy format, version 1, of lists.
#include "data/npy_list.h"

#include <cstring>

#include "base/error.h"
#include "formats/npy.h"

namespace ashlar {
namespace {

constexpr size_t kPreamble = 10;  // magic, version, length of the header

}  // namespace

void write_npy(OutputFile& file, std::string_view type, std::string_view shape,
               std::span<const std::byte> values) {
  file.write(npy_header(type, shape));
  file.write(values.data(), values.size());
}

NpyList::NpyList(const std::filesystem::path& file) : file_(MappedFile::open(file)) {
  const auto all = file_->bytes();
  const auto* text = reinterpret_cast<const char*>(all.data());
  const auto broken = [&] {
    fail(ErrorKind::format, "{}: expected a .npy list of uint16 or int32", file.string());
  };
  if (all.size() < kPreamble || std::memcmp(text, "\x93NUMPY\x01", 7) != 0) broken();
  const size_t length =
      static_cast<unsigned char>(text[8]) + 256U * static_cast<unsigned char>(text[9]);
  if (length > all.size() - kPreamble) broken();
  const std::string header(text + kPreamble, length);
  char type[4] = {};
  long long size = 0;
  if (std::sscanf(header.c_str(), "{'descr': '%3[<ui24]', 'fortran_order': False, 'shape': (%lld,)",
                  type, &size) != 2)
    broken();
  wide_ = std::strcmp(type, "<i4") == 0;
  if (!wide_ && std::strcmp(type, "<u2") != 0) broken();
  begin_ = kPreamble + length;
  size_ = size;
  const size_t number = wide_ ? 4 : 2;
  if (size < 0 || static_cast<size_t>(size) != (all.size() - begin_) / number) {
    fail(ErrorKind::format, "{}: expected {} numbers, found {} bytes", file.string(), size,
         all.size() - begin_);
  }
}

std::span<const std::byte> NpyList::bytes() const {
  return file_->bytes().subspan(begin_, static_cast<size_t>(size_) * (wide_ ? 4 : 2));
}

void NpyList::read(int64_t begin, std::span<int32_t> out) const {
  ASHLAR_ASSERT(begin >= 0 && begin + static_cast<int64_t>(out.size()) <= size_, "inside the list");
  const std::byte* from = bytes().data() + begin * (wide_ ? 4 : 2);
  if (wide_) {
    std::memcpy(out.data(), from, out.size_bytes());
    return;
  }
  for (int32_t& id : out) {
    uint16_t number = 0;
    std::memcpy(&number, from, sizeof number);
    from += sizeof number;
    id = number;
  }
}

}  // namespace ashlar
