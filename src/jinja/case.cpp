// What Python's strings answer about the case and the kind of their characters.
#include "base/utf8.h"
#include "jinja/builtin.h"
#include "jinja/unicode.h"

namespace ashlar::jinja {
namespace {

// A sigma ends a word where a cased letter is before it and none after, other marks between left
// aside.
bool final_sigma(std::string_view text, size_t at) {
  bool before = false;
  for (size_t i = at; i > 0 && !before;) {
    i = utf8::previous(text, i);
    const uint32_t c = char_at(text, i);
    if (is_case_ignorable(c)) continue;
    if (!is_cased(c)) return false;
    before = true;
  }
  if (!before) return false;
  for (size_t i = at + char_size(text, at); i < text.size(); i += char_size(text, i)) {
    const uint32_t c = char_at(text, i);
    if (!is_case_ignorable(c)) return !is_cased(c);
  }
  return true;
}

void append_lower_at(std::string_view text, size_t at, std::string& out) {
  const uint32_t c = char_at(text, at);
  if (c == 0x3a3)
    utf8::append(final_sigma(text, at) ? 0x3c2 : 0x3c3, out);
  else
    append_lower(c, out);
}

}  // namespace

Value map_case(const Value& value, char how) {
  const Str& in = value.as_str();
  const std::string& text = in.bytes;
  Budget::current()->step(text.size() / 16);
  Text out;
  std::string mapped;
  bool previous_cased = false;
  for (size_t at = 0; at < text.size(); at += char_size(text, at)) {
    const uint32_t c = char_at(text, at);
    mapped.clear();
    const bool title = how == 't' ? !previous_cased : how == 'c' && at == 0;
    if (how == 'u')
      append_upper(c, mapped);
    else if (title)
      append_title(c, mapped);
    else
      append_lower_at(text, at, mapped);
    previous_cased = is_cased(c);
    const size_t size = char_size(text, at);
    if (mapped.compare(0, mapped.size(), text, at, size) == 0)
      out.append(in, at, at + size);
    else
      out.append(mapped, in.from_value_at(at));
  }
  return out.finish(in.markup);
}

bool all_chars(const Str& text, bool (*holds)(uint32_t)) {
  if (text.bytes.empty()) return false;
  for (size_t at = 0; at < text.bytes.size(); at += char_size(text.bytes, at)) {
    if (!holds(char_at(text.bytes, at))) return false;
  }
  return true;
}

bool is_case(const Str& text, bool upper) {
  bool cased = false;
  for (size_t at = 0; at < text.bytes.size(); at += char_size(text.bytes, at)) {
    const uint32_t c = char_at(text.bytes, at);
    if (is_title(c) || (upper ? is_lower(c) : is_upper(c))) return false;
    cased |= upper ? is_upper(c) : is_lower(c);
  }
  return cased;
}

}  // namespace ashlar::jinja
