// Reading JSON and small files with bounds and clear errors.
#include "base/json.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <system_error>

#include "base/error.h"
#include "base/output_file.h"
#include "base/placeholder.h"
#include "base/regular_file.h"

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

void check_json_depth(std::string_view text, std::string_view where) {
  if (const int depth = json_depth(text); depth > kJsonDepth)
    fail(ErrorKind::format, "{}: JSON nested {} deep, at most {} is read", where, depth,
         kJsonDepth);
}

void fail_json(std::string_view where, std::string_view why) {
  constexpr size_t kMost = 200;  // a parser quotes what it read
  fail(ErrorKind::format, "{}: not valid JSON: {}{}", where, why.substr(0, kMost),
       why.size() > kMost ? "..." : "");
}

namespace {

/// What Python writes for numbers that JSON has no words for, and a text that stands for each.
struct NamedNumber {
  std::string_view name, marker;
  double value;
};
constexpr NamedNumber kNamedNumbers[] = {
    {"-Infinity", "\x01-Infinity", -std::numeric_limits<double>::infinity()},
    {"Infinity", "\x01Infinity", std::numeric_limits<double>::infinity()},
    {"NaN", "\x01NaN", std::numeric_limits<double>::quiet_NaN()}};

/// `text` with markers in the place of such numbers; empty if it has none.
std::string with_markers(std::string_view text) {
  std::string out;
  bool in_string = false;
  size_t copied = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (in_string && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      in_string = !in_string;
    } else if (!in_string) {
      for (const NamedNumber& n : kNamedNumbers) {
        if (!text.substr(i).starts_with(n.name)) continue;
        out.append(text.substr(copied, i - copied)).append("\"\\u0001");
        out.append(n.marker.substr(1)).append("\"");
        copied = i + n.name.size();
        i = copied - 1;
        break;
      }
    }
  }
  return copied == 0 ? "" : out.append(text.substr(copied));
}

void replace_markers(Json& json) {
  if (json.is_structured()) {
    for (Json& item : json) replace_markers(item);
  } else if (json.is_string()) {
    for (const NamedNumber& n : kNamedNumbers) {
      if (json.get_ref<const std::string&>() == n.marker) {
        json = n.value;
        return;
      }
    }
  }
}

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

Json parse_json(std::string_view text, std::string_view where) {
  check_json_depth(text, where);
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const Json::exception& e) {
    const std::string marked = with_markers(text);
    if (marked.empty()) fail_json(where, e.what());
    try {
      Json json = Json::parse(marked);
      replace_markers(json);
      return json;
    } catch (const Json::exception& again) {
      fail_json(where, again.what());
    }
  }
}

const Json& value_at(const Json& json, const std::string& key) {
  static const Json kNull;
  if (!json.is_object()) return kNull;
  const auto it = json.find(key);
  return it == json.end() ? kNull : *it;
}

std::string dumped(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Json read_json(const std::filesystem::path& file) {
  constexpr size_t kMost = size_t{1} << 28;  // an index of a million tensors is a tenth of it
  const std::string text = read_file(file, kMost);
  refuse_placeholder(text, file.string());
  return parse_json(text, file.string());
}

std::string read_file(const std::filesystem::path& file, size_t max_bytes) {
  std::ifstream in(file, std::ios::binary);
  std::error_code code;
  if (is_special(file)) return read_stream(in, file, max_bytes);
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
