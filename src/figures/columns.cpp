// Counting, filling and breaking.
#include "figures/columns.h"

#include <algorithm>

namespace ashlar {

size_t columns_of(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string padded(std::string text, size_t columns) {
  const size_t have = columns_of(text);
  if (have < columns) text.append(columns - have, ' ');
  return text;
}

std::vector<std::string> lines_of(std::string_view text, size_t columns) {
  const size_t spaces = std::min(text.find_first_not_of(' '), text.size());
  if (spaces > 0) {
    std::vector<std::string> lines = lines_of(text.substr(spaces), columns - spaces - 2);
    for (size_t i = 0; i < lines.size(); ++i)
      lines[i].insert(0, std::string(spaces + (i > 0 ? 2 : 0), ' '));
    return lines;
  }
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    const std::string word(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!lines.empty() && columns_of(lines.back()) + 1 + columns_of(word) <= columns) {
      lines.back() += " " + word;
    } else {
      lines.push_back(word);
    }
  }
  return lines;
}

}  // namespace ashlar
