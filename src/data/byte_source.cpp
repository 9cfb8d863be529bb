// Streams of zlib and libzstd; both formats may hold several members one after the other.
#include "data/byte_source.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/regular_file.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

class PlainFile : public ByteSource {
 public:
  explicit PlainFile(const fs::path& file) : where_(file.string()) {
    check_regular(file);
    descriptor_ = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0)
      fail(ErrorKind::io, "{}: cannot be opened: {}", where_, std::strerror(errno));
  }
  ~PlainFile() override { ::close(descriptor_); }
  PlainFile(const PlainFile&) = delete;
  PlainFile& operator=(const PlainFile&) = delete;
  size_t read(char* to, size_t count) override {
    while (true) {
      const ssize_t n = ::read(descriptor_, to, count);
      if (n >= 0) return static_cast<size_t>(n);
      if (errno != EINTR)
        fail(ErrorKind::io, "{}: cannot be read: {}", where_, std::strerror(errno));
    }
  }
  void rewind() { ::lseek(descriptor_, 0, SEEK_SET); }
  const std::string& where() const { return where_; }

 private:
  int descriptor_ = -1;
  std::string where_;
};

constexpr size_t kPiece = size_t{1} << 17;  // compressed bytes read at once

/// A file that is decompressed piece by piece.
class PackedFile : public ByteSource {
 public:
  PackedFile(const PackedFile&) = delete;
  PackedFile& operator=(const PackedFile&) = delete;

 protected:
  explicit PackedFile(std::unique_ptr<PlainFile> file) : file_(std::move(file)), packed_(kPiece) {}
  /// How many bytes come next in packed_; 0 at the end.
  size_t refill() {
    const size_t n = file_->read(packed_.data(), packed_.size());
    if (n == 0 && !between_)
      fail(ErrorKind::format, "{}: ends in the middle of its text", file_->where());
    return n;
  }

  std::unique_ptr<PlainFile> file_;
  std::vector<char> packed_;
  bool between_ = false;  // two members, or at the end
};

class GzipFile : public PackedFile {
 public:
  explicit GzipFile(std::unique_ptr<PlainFile> file) : PackedFile(std::move(file)) {
    constexpr int kGzip = 16 + MAX_WBITS;
    if (inflateInit2(&stream_, kGzip) != Z_OK)
      fail(ErrorKind::resource, "{}: no memory to unpack it", file_->where());
  }
  ~GzipFile() override { inflateEnd(&stream_); }
  size_t read(char* to, size_t count) override {
    stream_.next_out = reinterpret_cast<Bytef*>(to);
    stream_.avail_out = static_cast<uInt>(count);
    while (stream_.avail_out == count) {
      if (stream_.avail_in == 0) {
        stream_.next_in = reinterpret_cast<Bytef*>(packed_.data());
        stream_.avail_in = static_cast<uInt>(refill());
        if (stream_.avail_in == 0) return 0;
      }
      if (between_) inflateReset(&stream_);
      between_ = false;
      const int code = inflate(&stream_, Z_NO_FLUSH);
      if (code == Z_STREAM_END)
        between_ = true;
      else if (code != Z_OK && code != Z_BUF_ERROR)
        fail(ErrorKind::format, "{}: is no whole gzip file", file_->where());
    }
    return count - stream_.avail_out;
  }

 private:
  z_stream stream_{};
};

class ZstdFile : public PackedFile {
 public:
  explicit ZstdFile(std::unique_ptr<PlainFile> file)
      : PackedFile(std::move(file)), stream_(ZSTD_createDStream()) {
    if (stream_ == nullptr) fail(ErrorKind::resource, "{}: no memory to unpack it", file_->where());
  }
  ~ZstdFile() override { ZSTD_freeDStream(stream_); }
  size_t read(char* to, size_t count) override {
    ZSTD_outBuffer out{to, count, 0};
    while (out.pos == 0) {
      if (in_.pos == in_.size && !more_) {
        in_ = {packed_.data(), refill(), 0};
        if (in_.size == 0) return 0;
      }
      const size_t left = ZSTD_decompressStream(stream_, &out, &in_);
      if (ZSTD_isError(left) != 0) {
        fail(ErrorKind::format, "{}: is no whole Zstandard file: {}", file_->where(),
             ZSTD_getErrorName(left));
      }
      between_ = left == 0;
      more_ = !between_ && out.pos == out.size;  // held back inside
    }
    return out.pos;
  }

 private:
  ZSTD_DStream* stream_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  bool more_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> open_bytes(const fs::path& file) {
  auto plain = std::make_unique<PlainFile>(file);
  unsigned char head[4] = {};
  size_t have = 0;
  while (have < sizeof head) {
    const size_t n = plain->read(reinterpret_cast<char*>(head) + have, sizeof head - have);
    if (n == 0) break;
    have += n;
  }
  plain->rewind();
  if (have >= 2 && head[0] == 0x1F && head[1] == 0x8B)
    return std::make_unique<GzipFile>(std::move(plain));
  constexpr unsigned char kZstd[] = {0x28, 0xB5, 0x2F, 0xFD};
  if (have == 4 && std::memcmp(head, kZstd, 4) == 0)
    return std::make_unique<ZstdFile>(std::move(plain));
  return plain;
}

std::string read_all(ByteSource& source, size_t most, const std::string& where) {
  std::string all;
  while (true) {
    const size_t begin = all.size();
    all.resize(begin + kPiece);
    const size_t n = source.read(all.data() + begin, kPiece);
    all.resize(begin + n);
    if (n == 0) return all;
    if (all.size() > most) {
      fail(ErrorKind::resource,
           "{}: is one text of more than {} bytes: write its documents as lines of JSON", where,
           most);
    }
  }
}

bool LineReader::next(std::string& line) {
  while (true) {
    const size_t end = buffer_.find('\n', std::max(at_, scanned_));
    if (end != std::string::npos || ended_) {
      const bool last = end == std::string::npos;
      if (last && at_ == buffer_.size()) return false;
      line.assign(buffer_, at_, last ? std::string::npos : end - at_);
      at_ = last ? buffer_.size() : end + 1;
      if (line.ends_with('\r')) line.pop_back();
      ++number_;
      return true;
    }
    buffer_.erase(0, at_);
    at_ = 0;
    scanned_ = buffer_.size();
    if (buffer_.size() > most_) {
      fail(ErrorKind::resource, "{}: line {} has more than {} bytes", where_, number_ + 1, most_);
    }
    const size_t begin = buffer_.size();
    buffer_.resize(begin + kPiece);
    const size_t n = source_->read(buffer_.data() + begin, kPiece);
    buffer_.resize(begin + n);
    ended_ = n == 0;
  }
}

}  // namespace ashlar
