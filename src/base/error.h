// The one exception of Ashlar: the world is wrong (a file, a config, a request, memory).
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace ashlar {

enum class ErrorKind {
  io,           // a file cannot be read or written
  format,       // a file is broken or lies about itself
  unsupported,  // well-formed, but something Ashlar does not do
  invalid,      // a request, an option or a config that makes no sense
  resource,     // memory or disk does not suffice
};

/// The message says where, what was expected, what was found, and what to do.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

/// Throws an Error with a formatted message: fail(ErrorKind::format, "{}: expected {}", file,
/// what).
template <class... Args>
[[noreturn]] void fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace ashlar

/// A condition that must hold whatever the input: a failure is a bug of ours, never of a file or a
/// request.
#define ASHLAR_ASSERT(condition, why)                                                          \
  do {                                                                                         \
    if (!(condition)) ::ashlar::detail::assertion_failed(#condition, why, __FILE__, __LINE__); \
  } while (false)

namespace ashlar::detail {
[[noreturn]] void assertion_failed(const char* condition, const char* why, const char* file,
                                   int line);
}
