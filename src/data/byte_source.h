// Bytes of a file as they are, or out of gzip or Zstandard, whatever its name says.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

namespace ashlar {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Up to `count` bytes; 0 at the end. Throws Error(io) or Error(format).
  virtual size_t read(char* to, size_t count) = 0;
};

/// By the file's first bytes. Throws Error(io).
std::unique_ptr<ByteSource> open_bytes(const std::filesystem::path& file);

/// All that is left, at most `most` bytes. Throws Error(resource) above; `where` names the file.
std::string read_all(ByteSource& source, size_t most, const std::string& where);

/// Lines without their ends, one after the other.
class LineReader {
 public:
  /// `most`: bytes of a line, above which next throws Error(resource).
  LineReader(std::unique_ptr<ByteSource> source, size_t most, std::string where)
      : source_(std::move(source)), most_(most), where_(std::move(where)) {}
  /// False at the end. A last line needs no end.
  bool next(std::string& line);
  int64_t number() const { return number_; }  // of the last line, from 1

 private:
  std::unique_ptr<ByteSource> source_;
  const size_t most_;
  const std::string where_;
  std::string buffer_;
  size_t at_ = 0, scanned_ = 0;  // of the buffer: next line, and up to where there is no end
  int64_t number_ = 0;
  bool ended_ = false;
};

}  // namespace ashlar
