// The terminal that a command writes to: its width, colours, and texts that fit it.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace ashlar::app {

/// Columns of the terminal behind `file`; $COLUMNS before it; 0 for neither: nothing is cut.
int columns(std::FILE* file);

enum class Style : unsigned char { bold = 1, dim = 2 };  // the numbers that terminals use
/// `text` in that style where `file` is a terminal that shows colours and nobody asked for none
/// (NO_COLOR, TERM=dumb).
std::string styled(std::FILE* file, Style style, std::string_view text);
/// What begins the style, and what ends any; empty without colours.
std::string style_begin(std::FILE* file, Style style);
std::string style_end(std::FILE* file);

/// Each line that is longer than `columns` is broken at spaces; what follows is indented as the
/// line's second column is (where two spaces separate columns), or by two more than the line.
/// 0 columns: the text as it is.
std::string wrapped(std::string_view text, int columns);

/// `text` as wrapped() fits it to the terminal behind stdout, then a line feed if it has none.
void print_fitted(const std::string& text);

/// A line on stderr, broken as wrapped() does where that is a terminal.
void say(const std::string& line);

/// Text of a model for a terminal: control characters but line feed and tab are shown, not obeyed.
std::string harmless(std::string_view text);

}  // namespace ashlar::app
