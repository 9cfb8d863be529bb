// Reading JSON and small files with bounds and clear errors.
#include "base/json.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <system_error>

#include "base/error.h"
#include "base/output_file.h"

namespace ashlar {

int json_depth(std::string_view text) {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

void check_json_depth(std::string_view text, std::string_view where, int max_depth) {
  if (const int depth = json_depth(text); depth > max_depth) {
    fail(ErrorKind::format, "{}: JSON nested {} deep, at most {} is read", where, depth, max_depth);
  }
}

void fail_json(std::string_view where, std::string_view why) {
  constexpr size_t kMost = 200;  // a parser quotes what it read
  fail(ErrorKind::format, "{}: not valid JSON: {}{}", where, why.substr(0, kMost),
       why.size() > kMost ? "..." : "");
}

Json parse_json(std::string_view text, std::string_view where, int max_depth) {
  check_json_depth(text, where, max_depth);
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const Json::exception& e) {
    fail_json(where, e.what());
  }
}

Json read_json(const std::filesystem::path& file) {
  return parse_json(read_file(file), file.string());
}

namespace {

void check_size(size_t size, const std::filesystem::path& file, size_t max_bytes) {
  if (size > max_bytes) {
    fail(ErrorKind::resource, "{}: {} bytes, at most {} are read here", file.string(), size,
         max_bytes);
  }
}

/// What a pipe or a device gives: nobody knows its size beforehand.
std::string read_stream(std::istream& in, const std::filesystem::path& file, size_t max_bytes) {
  constexpr size_t kPiece = 1 << 16;
  std::string bytes;
  while (in) {
    const size_t had = bytes.size();
    bytes.resize(had + kPiece);
    in.read(bytes.data() + had, kPiece);
    bytes.resize(had + static_cast<size_t>(in.gcount()));
    check_size(bytes.size(), file, max_bytes);
  }
  if (!in.eof()) fail(ErrorKind::io, "{}: cannot read: {}", file.string(), std::strerror(errno));
  return bytes;
}

}  // namespace

std::string read_file(const std::filesystem::path& file, size_t max_bytes) {
  std::ifstream in(file, std::ios::binary);
  std::error_code code;
  const auto status = std::filesystem::status(file, code);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status) &&
      !std::filesystem::is_directory(status))
    return read_stream(in, file, max_bytes);
  const auto size = std::filesystem::file_size(file, code);
  if (code) fail(ErrorKind::io, "{}: cannot read: {}", file.string(), code.message());
  check_size(size, file, max_bytes);
  std::string bytes(size, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(size));
  if (!in) fail(ErrorKind::io, "{}: cannot read: {}", file.string(), std::strerror(errno));
  return bytes;
}

void write_file(const std::filesystem::path& file, std::string_view text) {
  OutputFile out(file, static_cast<int64_t>(text.size()));
  out.write(text);
  out.commit();
}

}  // namespace ashlar
