// Characters as Python's str sees them: classes, case mappings, UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ashlar::jinja {

/// Of valid UTF-8, which all strings of a template are.
size_t char_size(std::string_view text, size_t at);
uint32_t char_at(std::string_view text, size_t at);

bool is_space(uint32_t c);
bool is_line_break(uint32_t c);
bool is_alpha(uint32_t c);
bool is_decimal(uint32_t c);
bool is_digit(uint32_t c);
bool is_alnum(uint32_t c);
bool is_lower(uint32_t c);
bool is_upper(uint32_t c);
bool is_title(uint32_t c);
bool is_cased(uint32_t c);
bool is_case_ignorable(uint32_t c);
bool is_printable(uint32_t c);
/// The value of a decimal digit of any script, or -1.
int digit_value(uint32_t c);

void append_upper(uint32_t c, std::string& out);
void append_lower(uint32_t c, std::string& out);
void append_title(uint32_t c, std::string& out);

/// As Python escapes a character: \xe9, \u20ac, \U0001f600.
std::string escaped(uint32_t c);

}  // namespace ashlar::jinja
