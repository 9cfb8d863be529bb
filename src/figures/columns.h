// Text in columns of a terminal, one per code point of UTF-8.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ashlar {

size_t columns_of(std::string_view text);
/// Spaces behind it up to so many columns; as it is where it has more.
std::string padded(std::string text, size_t columns);
/// Text in lines of at most so many columns, broken between words; none of no text. Spaces before
/// it stay before the first line, and two more before the others.
std::vector<std::string> lines_of(std::string_view text, size_t columns);

}  // namespace ashlar
