// A file being written beside its final place, so that a failure leaves the old one as it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>

namespace ashlar {

class OutputFile {
 public:
  /// Creates `<file>.part`. Throws Error(io).
  explicit OutputFile(std::filesystem::path file);
  /// Removes what was not committed.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(const void* bytes, size_t count);  // Error(io), e.g. when the disk is full
  void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }
  void pad_to(int64_t alignment);  // with zeros
  int64_t size() const { return size_; }

  void close();   // all bytes are with the system; Error(io) otherwise
  void commit();  // takes the place of `file`

 private:
  std::filesystem::path file_, part_;
  int descriptor_ = -1;
  int64_t size_ = 0;
  bool committed_ = false;
};

}  // namespace ashlar
