// The one exception of Ashlar: something outside of the program is wrong (a file, a config, a
// request, memory). What is expected to happen is a return value instead.
//
//   try { ... } catch (const ashlar::Error& e) { e.kind(); e.what(); }
#pragma once

#include <stdexcept>
#include <string>

namespace ashlar {

enum class ErrorKind {
  io,           // a file cannot be read or written
  format,       // a file is broken or contradicts itself
  unsupported,  // well-formed, but something Ashlar does not do
  invalid,      // a request, an option or a config that makes no sense
  resource,     // memory or disk does not suffice
};

/// The message says where, what was expected, what was found, and what to do. An option of the
/// library that it names stands in backquotes: choose a larger `context`.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace ashlar
