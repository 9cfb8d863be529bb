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

template <class T>
const T& GgufValue::as(std::string_view expected) const {
  if (const auto* v = std::get_if<T>(&data_)) return *v;
  mismatch(expected);
}

const std::string& GgufValue::as_string() const { return as<std::string>("a string"); }
bool GgufValue::as_bool() const { return as<bool>("a boolean"); }

int64_t GgufValue::as_int() const {
  const auto v = as<int64_t>("an integer");
  if (type_ == GgufType::u64 && v < 0) mismatch("an integer below 2^63");
  return v;
}

double GgufValue::as_float() const {
  return std::holds_alternative<int64_t>(data_) ? static_cast<double>(as_int())
                                                : as<double>("a number");
}

const std::vector<std::string>& GgufValue::as_strings() const {
  return as<std::vector<std::string>>("an array of strings");
}

const std::vector<int64_t>& GgufValue::as_ints() const {
  return as<std::vector<int64_t>>("an array of integers");
}

std::vector<double> GgufValue::as_floats() const {
  if (const auto* v = std::get_if<std::vector<int64_t>>(&data_)) return {v->begin(), v->end()};
  return as<std::vector<double>>("an array of numbers");
}

}  // namespace ashlar
