// JSON whose integers may be of any size, as Python's json reads it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace ashlar {

/// parse_json, with an integer beyond 64 bits (up to some 308 digits) kept as its digits
/// (whole_digits) instead of a rounded number. Chat templates compute with such values.
Json parse_exact_json(std::string_view text, std::string_view where);
Json read_exact_json(const std::filesystem::path& file);

/// "-" and digits of an integer that parse_exact_json kept; nothing for any other value.
std::optional<std::string> whole_digits(const Json& value);

}  // namespace ashlar
