// Width, colour, and breaking of lines.
#include "apps/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utf8proc.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/utf8.h"

namespace ashlar::app {
namespace {

constexpr int kNarrowest = 20;  // below it nothing is laid out any more
constexpr size_t kGap = 2;      // spaces between columns of a table

/// Whether `file` is a terminal that shows colours and nobody asked for none (NO_COLOR, TERM=dumb).
bool has_colours(std::FILE* file) {
  const char* none = std::getenv("NO_COLOR");
  const char* kind = std::getenv("TERM");
  return isatty(fileno(file)) != 0 && (none == nullptr || *none == '\0') &&
         (kind == nullptr || std::strcmp(kind, "dumb") != 0);
}

/// Columns that UTF-8 text takes; control characters take none.
int64_t width_of(std::string_view text) {
  int64_t width = 0;
  for (size_t at = 0; at < text.size();) {
    const auto c = static_cast<utf8proc_int32_t>(utf8::next(text, at));
    width += std::max(0, utf8proc_charwidth(c));
  }
  return width;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

size_t indent_of(std::string_view line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

/// Where the text after the first gap of `gap` or more spaces begins; npos: there is none.
size_t second_column(std::string_view line, size_t gap) {
  size_t at = line.find(std::string(gap, ' '), indent_of(line));
  return at == std::string_view::npos ? at : line.find_first_not_of(' ', at);
}

/// One cell per column of the terminal; wide characters take two, the second of them empty.
std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells;
  for (size_t at = 0; at < line.size();) {
    const size_t begin = at;
    const uint32_t c = utf8::next(line, at);
    const int width = std::max(0, utf8proc_charwidth(static_cast<utf8proc_int32_t>(c)));
    const std::string_view character = line.substr(begin, at - begin);
    if (width == 0 && !cells.empty()) {
      cells.back() += character;
      continue;
    }
    cells.emplace_back(character);
    for (int more = 1; more < width; ++more) cells.emplace_back();
  }
  return cells;
}

/// Takes out columns that are blank in all rows of a table, but for kGap beside each other.
void squeeze(std::vector<std::string>& lines, size_t begin, size_t end) {
  std::vector<size_t> rows;
  std::vector<std::vector<std::string>> cells;
  size_t widest = 0;
  for (size_t i = begin; i < end; ++i) {
    if (second_column(lines[i], kGap + 1) == std::string::npos) continue;  // a sentence
    rows.push_back(i);
    cells.push_back(cells_of(lines[i]));
    widest = std::max(widest, cells.back().size());
  }
  std::vector<bool> gone(widest, false);
  size_t blank = 0, first = widest;
  for (const size_t row : rows) first = std::min(first, indent_of(lines[row]));
  for (size_t c = first; c < widest; ++c) {
    const bool all = std::all_of(cells.begin(), cells.end(),
                                 [&](const auto& row) { return c >= row.size() || row[c] == " "; });
    blank = all ? blank + 1 : 0;
    gone[c] = blank > kGap;
  }
  for (size_t k = 0; k < rows.size(); ++k) {
    std::string& line = lines[rows[k]];
    line.clear();
    for (size_t c = 0; c < cells[k].size(); ++c) {
      if (!gone[c]) line += cells[k][c];
    }
  }
}

/// The bytes of `text` that take at most `columns`, but at least one character.
size_t fitting(std::string_view text, int64_t columns) {
  size_t at = 0;
  while (at < text.size()) {
    size_t next = at;
    utf8::next(text, next);
    if (at > 0 && width_of(text.substr(0, next)) > columns) break;
    at = next;
  }
  return at;
}

/// Breaks a line that is too long.
void break_line(std::string_view line, int64_t columns, std::string& out) {
  size_t own = indent_of(line);
  if (2 * static_cast<int64_t>(own) > columns) {  // as far to the right as there is room
    const int64_t room = columns - width_of(line.substr(own));
    const auto kept = static_cast<size_t>(std::max<int64_t>(room, 2));
    line.remove_prefix(own - std::min(own, kept));
    own = indent_of(line);
  }
  size_t indent = own + 2;
  if (const size_t second = second_column(line, kGap); second != std::string_view::npos) {
    const int64_t at = width_of(line.substr(0, second));
    if (2 * at <= columns) indent = static_cast<size_t>(at);
  }
  if (2 * static_cast<int64_t>(indent) > columns) indent = 2;
  std::string current(line.substr(0, own));
  int64_t width = width_of(current);
  bool begun = false;  // the current line holds a word
  for (size_t at = own; at < line.size();) {
    const size_t word = std::min(line.find_first_not_of(' ', at), line.size());
    const size_t end = std::min(line.find(' ', word), line.size());
    std::string_view text = line.substr(word, end - word);
    const auto spaces = static_cast<int64_t>(word - at);
    at = end;
    if (begun && width + spaces + width_of(text) > columns) {
      out.append(current).push_back('\n');
      current.assign(indent, ' ');
      width = static_cast<int64_t>(indent);
    } else {
      current.append(static_cast<size_t>(spaces), ' ');
      width += spaces;
    }
    while (width + width_of(text) > columns) {  // a word of more than a line
      const size_t piece = fitting(text, columns - width);
      if (piece == text.size()) break;
      out.append(current).append(text.substr(0, piece)).push_back('\n');
      text.remove_prefix(piece);
      current.assign(indent, ' ');
      width = static_cast<int64_t>(indent);
    }
    current += text;
    width += width_of(text);
    begun = true;
  }
  out.append(current).push_back('\n');
}

}  // namespace

int columns(std::FILE* file) {
  if (const char* wish = std::getenv("COLUMNS"); wish != nullptr) {
    int value = 0;
    const auto r = std::from_chars(wish, wish + std::strlen(wish), value);
    if (r.ec == std::errc() && *r.ptr == '\0' && value > 0) return std::max(value, kNarrowest);
  }
  winsize size{};
  const int descriptor = fileno(file);
  if (isatty(descriptor) == 0) return 0;
  if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return std::max<int>(size.ws_col, kNarrowest);
}

std::string style_begin(std::FILE* file, Style style) {
  return has_colours(file) ? fmt::format("\033[{}m", static_cast<int>(style)) : "";
}

std::string style_end(std::FILE* file) { return has_colours(file) ? "\033[0m" : ""; }

std::string styled(std::FILE* file, Style style, std::string_view text) {
  return style_begin(file, style) + std::string(text) + style_end(file);
}

std::string wrapped(std::string_view text, int columns) {
  if (columns <= 0) return std::string(text);
  const std::string valid = utf8::repaired(text);
  std::vector<std::string> lines = lines_of(valid);
  const auto too_long = [&](const std::string& line) { return width_of(line) > columns; };
  for (size_t begin = 0; begin < lines.size();) {
    size_t end = begin;
    while (end < lines.size() && !lines[end].empty()) ++end;
    if (std::any_of(lines.begin() + static_cast<int64_t>(begin),
                    lines.begin() + static_cast<int64_t>(end), too_long))
      squeeze(lines, begin, end);
    begin = end + 1;
  }
  std::string out;
  for (const std::string& line : lines) {
    if (too_long(line))
      break_line(line, columns, out);
    else
      out.append(line).push_back('\n');
  }
  if (!text.ends_with('\n') && !out.empty()) out.pop_back();
  return out;
}

void print_fitted(const std::string& text) {
  std::string fitted = wrapped(text, columns(stdout));
  if (!fitted.ends_with('\n')) fitted.push_back('\n');
  std::fwrite(fitted.data(), 1, fitted.size(), stdout);
}

void say(const std::string& line) {
  const bool terminal = isatty(fileno(stderr)) != 0;
  std::fprintf(stderr, "%s\n", wrapped(line, terminal ? columns(stderr) : 0).c_str());
}

std::string harmless(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0x7F || (byte < 0x20 && c != '\n' && c != '\t'))
      utf8::append(0x2400 + (byte == 0x7F ? 0x21 : byte), out);  // U+241B stands for escape
    else
      out.push_back(c);
  }
  return out;
}

}  // namespace ashlar::app
