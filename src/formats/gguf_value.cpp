// Typed access to GGUF metadata.
#include <string_view>

#include "base/error.h"
#include "formats/gguf.h"

namespace ashlar {

std::string_view to_string(GgufType type) {
  constexpr std::string_view kNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                         "bool", "string", "array", "u64", "i64", "f64"};
  return kNames[static_cast<uint32_t>(type)];
}

void GgufValue::mismatch(std::string_view expected) const {
  const std::string found =
      is_array() ? fmt::format("array of {}", to_string(element_)) : std::string(to_string(type_));
  fail(ErrorKind::format, "{}: metadata key \"{}\": expected {}, found {}", *file_, key_, expected,
       found);
}

const std::string& GgufValue::as_string() const {
  if (const auto* v = std::get_if<std::string>(&data_)) return *v;
  mismatch("a string");
}

int64_t GgufValue::as_int() const {
  const auto* v = std::get_if<int64_t>(&data_);
  if (v == nullptr) mismatch("an integer");
  if (type_ == GgufType::u64 && *v < 0) mismatch("an integer below 2^63");
  return *v;
}

double GgufValue::as_float() const {
  if (const auto* v = std::get_if<double>(&data_)) return *v;
  if (std::holds_alternative<int64_t>(data_)) return static_cast<double>(as_int());
  mismatch("a number");
}

bool GgufValue::as_bool() const {
  if (const auto* v = std::get_if<bool>(&data_)) return *v;
  mismatch("a boolean");
}

const std::vector<std::string>& GgufValue::as_strings() const {
  if (const auto* v = std::get_if<std::vector<std::string>>(&data_)) return *v;
  mismatch("an array of strings");
}

const std::vector<int64_t>& GgufValue::as_ints() const {
  if (const auto* v = std::get_if<std::vector<int64_t>>(&data_)) return *v;
  mismatch("an array of integers");
}

std::vector<double> GgufValue::as_floats() const {
  if (const auto* v = std::get_if<std::vector<double>>(&data_)) return *v;
  if (const auto* v = std::get_if<std::vector<int64_t>>(&data_)) return {v->begin(), v->end()};
  mismatch("an array of numbers");
}

}  // namespace ashlar
