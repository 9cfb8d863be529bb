// Knows them by their first bytes.
#include "base/placeholder.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string>

#include "base/error.h"
#include "base/lower_case.h"
#include "base/units.h"

namespace ashlar {
namespace {

constexpr size_t kLongestMessage = 1024;  // bytes of a pointer or a server's message

/// The beginning in lower case, without a byte order mark and white space before it.
std::string beginning(std::string_view bytes) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  while (!bytes.empty() && std::isspace(static_cast<unsigned char>(bytes.front()))) {
    bytes.remove_prefix(1);
  }
  return lower_case(std::string(bytes.substr(0, 64)));
}

std::string size_of_pointer(std::string_view bytes) {
  const size_t at = bytes.find("\nsize ");
  int64_t size = 0;
  if (at == std::string_view::npos ||
      std::from_chars(bytes.data() + at + 6, bytes.data() + bytes.size(), size).ec != std::errc())
    return "";
  return fmt::format(" ({} bytes)", grouped(size));
}

}  // namespace

void refuse_placeholder(std::string_view bytes, std::string_view where) {
  const std::string text = beginning(bytes.substr(0, kLongestMessage));
  if (text.starts_with("version https://git-lfs.github.com/spec/")) {
    fail(ErrorKind::format,
         "{}: is a Git LFS pointer, not the file itself: fetch it with `git lfs pull`{}", where,
         size_of_pointer(bytes.substr(0, kLongestMessage)));
  }
  for (const char* page : {"<!doctype html", "<html", "<head", "<body"}) {
    if (text.starts_with(page))
      fail(ErrorKind::format, "{}: is an HTML page, not the file itself (a failed download?)",
           where);
  }
  if (text.starts_with("<?xml") || text.starts_with("<error>"))
    fail(ErrorKind::format, "{}: is a page of XML, not the file itself (a failed download?)",
         where);
  if (bytes.size() > kLongestMessage) return;
  for (const char* message : {"entry not found", "repository not found", "invalid username or",
                              "access to model", "access denied", "404: not found", "not found",
                              "unauthorized", "forbidden", "{\"error\":"}) {
    if (text.starts_with(message)) {
      fail(ErrorKind::format, "{}: holds a server's message, \"{}\": the download failed", where,
           bytes.substr(0, std::min<size_t>(bytes.find('\n'), 80)));
    }
  }
}

}  // namespace ashlar
