// Throwing Ashlar's one exception (ashlar/error.h), and assertions.
#pragma once

#include <fmt/core.h>

#include <string>
#include <utility>

#include "ashlar/error.h"

namespace ashlar {

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
