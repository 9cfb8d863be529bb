// Strings of templates: building them, cutting them and printing values into them, keeping track of
// which bytes come from messages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "jinja/value.h"

namespace ashlar::jinja {

/// A string in the making.
class Text {
 public:
  /// Bytes of the template's own making.
  void literal(std::string_view bytes) {
    grow(bytes.size());
    bytes_ += bytes;
  }
  void literal(char c) { literal(std::string_view(&c, 1)); }
  /// Bytes that come from a value of the messages where `from_value`.
  void append(std::string_view bytes, bool from_value);
  void append(const Str& text) { append(text, 0, text.bytes.size()); }
  void append(const Str& text, size_t begin, size_t end);
  /// str(value)
  void append(const Value& value);
  /// `text` that many times; refused before the work where it does not fit.
  void repeat(const Str& text, size_t count);

  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  const std::string& bytes() const { return bytes_; }
  const std::vector<Span>& from_values() const { return from_values_; }
  /// The string made; this is empty afterwards.
  Value finish(bool markup = false);

 private:
  /// Bytes [begin, end), the last ones, come from a value.
  void mark(size_t begin, size_t end);
  void grow(size_t count) {
    if (Budget::current()) charge_.take(count);
  }
  std::string bytes_;
  std::vector<Span> from_values_;
  Charge charge_;
};

size_t count_chars(std::string_view bytes);

/// Bytes [begin, end) of a string value, as a string.
Value slice_bytes(const Value& text, size_t begin, size_t end);
Value slice_bytes(const Str& text, size_t begin, size_t end);
/// A string all of which comes from a value.
Value value_string(std::string_view bytes);
/// The same string with or without the mark of escape and safe.
Value with_markup(const Value& text, bool markup);

/// str(value), a string value.
Value to_str(const Value& value);
std::string repr(const Value& value);
std::string repr_string(std::string_view bytes);
/// Python's repr of a float: the shortest digits that read back.
std::string repr_float(double value);
/// Decimal digits of an int.
std::string int_digits(const Value& value);

/// &, <, >, ' and " as HTML entities.
Value escape_html(const Value& text);

/// + with a Markup on either side escapes the other.
Value concatenate(const Value& a, const Value& b);
Value repeat_string(const Value& text, int64_t count);

}  // namespace ashlar::jinja
