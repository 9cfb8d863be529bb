// What string methods and filters share: cutting, stripping, replacing, joining.
#include <algorithm>

#include "base/character_runs.h"
#include "base/utf8.h"
#include "jinja/builtin.h"
#include "jinja/unicode.h"

namespace ashlar::jinja {

Value strip(const Value& text, const Value& chars, bool left, bool right) {
  const std::string& bytes = text.bytes();
  std::vector<uint32_t> set;
  const bool space = chars.is(Kind::none);
  if (!space) {
    if (chars.is(Kind::undefined)) raise_undefined(chars);
    if (!chars.is(Kind::string)) raise("strip arg must be None or str");
    const std::string& given = chars.bytes();
    for (size_t at = 0; at < given.size(); at += char_size(given, at))
      set.push_back(char_at(given, at));
    std::sort(set.begin(), set.end());
  }
  const auto goes = [&](uint32_t c) {
    return space ? is_space(c) : std::binary_search(set.begin(), set.end(), c);
  };
  size_t begin = 0, end = bytes.size();
  Budget::current()->step(bytes.size() / 64);
  if (left) begin = utf8::end_of_run(bytes, begin, goes);
  if (right) end = utf8::begin_of_run(bytes, begin, end, goes);
  return slice_bytes(text, begin, end);
}

Value replace(const Value& text, const Value& old, const Value& with, int64_t count) {
  const Str& in = text.as_str();
  const std::string &bytes = in.bytes, &what = old.bytes();
  Text out;
  Budget::current()->step(bytes.size() / 16);
  if (count < 0) count = INT64_MAX;
  size_t done = 0;
  if (what.empty()) {
    for (; count > 0; --count) {
      out.append(with.as_str());
      if (done >= bytes.size()) break;
      const size_t size = char_size(bytes, done);
      out.append(in, done, done + size);
      done += size;
    }
  } else {
    for (size_t at; count > 0 && (at = bytes.find(what, done)) != std::string::npos; --count) {
      Budget::current()->step();
      out.append(in, done, at);
      out.append(with.as_str());
      done = at + what.size();
    }
  }
  out.append(in, done, bytes.size());
  return out.finish(in.markup);
}

Value join(const Value& separator, const Value& iterable) {
  const bool markup = separator.as_str().markup;
  if (!Cursor::possible(iterable)) raise("can only join an iterable");
  Text out;
  Cursor cursor(iterable);
  size_t index = 0;
  for (Value item; cursor.next(item); ++index) {
    if (!markup && !item.is(Kind::string)) {
      if (item.is(Kind::undefined))
        raise("sequence item {}: expected str instance, Undefined found", index);
      raise("sequence item {}: expected str instance, {} found", index, type_name(item));
    }
    if (index > 0) out.append(separator.as_str());
    out.append((markup ? escape_html(to_str(item)) : item).as_str());
  }
  return out.finish(markup);
}

Value padded(const Value& value, int64_t width, const Value& fill, bool left, bool right) {
  const Str& text = value.as_str();
  const int64_t missing = width - static_cast<int64_t>(text.length);
  if (missing <= 0) return value;
  const int64_t before = !left ? 0 : right ? missing / 2 + (missing & width & 1) : missing;
  Text out;
  out.repeat(fill.as_str(), static_cast<size_t>(before));
  out.append(text);
  out.repeat(fill.as_str(), static_cast<size_t>(missing - before));
  return out.finish(text.markup);
}

}  // namespace ashlar::jinja
