// The methods of strings.
#include <algorithm>

#include "jinja/builtin.h"
#include "jinja/unicode.h"

namespace ashlar::jinja {
namespace {

struct Bounds {
  size_t begin = 0, end = 0;
  bool empty = false;  // begins behind the end
};

// Byte offsets of start and stop, arguments 1 and 2.
Bounds bounds(const Str& text, const Bound& args) {
  const auto size = static_cast<int64_t>(text.length);
  const auto place = [&](size_t i, int64_t otherwise) {
    if (args.is_none(i)) return otherwise;
    const Value value = args.at(i);
    if (!value.is_int_like())
      raise("slice indices must be integers or None or have an __index__ method");
    const int64_t at = to_index(value);
    return at < 0 ? std::max<int64_t>(at < -size ? 0 : at + size, 0) : at;
  };
  const int64_t start = place(1, 0), stop = std::min(place(2, size), size);
  Bounds out;
  if (start > size || start > stop) {
    out.empty = true;
    return out;
  }
  out.begin = text.offset(static_cast<size_t>(start));
  out.end = text.offset(static_cast<size_t>(stop));
  return out;
}

size_t find_from(const std::string& text, std::string_view what, size_t begin, size_t end) {
  Budget::current()->step((end - begin) / 64);
  const size_t at = std::string_view(text).substr(0, end).find(what, begin);
  return at;
}

Value find_in(const Value& self, Args& args, const char* name, bool last, bool must) {
  const Bound bound(name, args, {"", "", ""}, 1);
  const Str& text = self.as_str();
  const Str& what = bound.text(0);
  const Bounds b = bounds(text, bound);
  size_t at = std::string::npos;
  if (!b.empty && b.end - b.begin >= what.bytes.size()) {
    if (last) {
      at = std::string_view(text.bytes).substr(0, b.end).rfind(what.bytes);
      if (at != std::string::npos && at < b.begin) at = std::string::npos;
    } else {
      at = find_from(text.bytes, what.bytes, b.begin, b.end);
    }
  }
  if (at == std::string::npos) {
    if (must) raise("substring not found");
    return Value::integer(-1);
  }
  return Value::integer(
      static_cast<int64_t>(count_chars(std::string_view(text.bytes).substr(0, at))));
}

Value count_in(Interpreter&, const Value& self, Args& args) {
  const Bound bound("count", args, {"", "", ""}, 1);
  const Str& text = self.as_str();
  const Str& what = bound.text(0);
  const Bounds b = bounds(text, bound);
  if (b.empty) return Value::integer(0);
  const std::string_view part = std::string_view(text.bytes).substr(b.begin, b.end - b.begin);
  Budget::current()->step(part.size() / 16);
  if (what.bytes.empty()) return Value::integer(static_cast<int64_t>(count_chars(part)) + 1);
  int64_t count = 0;
  for (size_t at = 0; (at = part.find(what.bytes, at)) != std::string_view::npos;
       at += what.bytes.size())
    ++count;
  return Value::integer(count);
}

Value affix(const Value& self, Args& args, const char* name, bool at_end) {
  const Bound bound(name, args, {"", "", ""}, 1);
  const Str& text = self.as_str();
  const Value given = bound.at(0);
  if (given.is(Kind::undefined)) raise_undefined(given);
  std::vector<Value> options{given};
  if (given.is(Kind::tuple)) options = given.items();
  for (const auto& option : options) {
    if (!option.is(Kind::string)) {
      raise("{} first arg must be str or a tuple of str, not {}", name, type_name(option));
    }
  }
  const Bounds b = bounds(text, bound);
  if (b.empty) return Value::boolean(false);
  const std::string_view part = std::string_view(text.bytes).substr(b.begin, b.end - b.begin);
  for (const auto& option : options) {
    if (at_end ? part.ends_with(option.bytes()) : part.starts_with(option.bytes()))
      return Value::boolean(true);
  }
  return Value::boolean(false);
}

Value split_method(const Value& self, Args& args, const char* name, bool from_right) {
  const Bound bound(name, args, {"sep", "maxsplit"});
  const Str& text = self.as_str();
  const std::string& bytes = text.bytes;
  int64_t left = bound.integer(1, -1);
  if (left < 0) left = INT64_MAX;
  std::vector<Value> out;
  Charge charge;
  const auto add = [&](size_t begin, size_t end) {
    charge.take(sizeof(Value));
    out.push_back(slice_bytes(self, begin, end));
  };
  Budget::current()->step(bytes.size() / 16);
  if (bound.is_none(0)) {
    // Words between white space.
    std::vector<Span> words;
    for (size_t at = 0; at < bytes.size();) {
      while (at < bytes.size() && is_space(char_at(bytes, at))) at += char_size(bytes, at);
      const size_t begin = at;
      while (at < bytes.size() && !is_space(char_at(bytes, at))) at += char_size(bytes, at);
      if (begin < at) words.push_back({begin, at});
    }
    const auto few =
        static_cast<size_t>(std::min<int64_t>(left, static_cast<int64_t>(words.size())));
    if (few == words.size()) {
      for (const Span& word : words) add(word.begin, word.end);
    } else if (!from_right) {
      for (size_t i = 0; i < few; ++i) add(words[i].begin, words[i].end);
      // What remains keeps the white space at its end.
      add(words[few].begin, bytes.size());
    } else {
      const size_t rest = words.size() - few;
      add(0, words[rest - 1].end);
      for (size_t i = rest; i < words.size(); ++i) add(words[i].begin, words[i].end);
    }
    return Value::list(std::move(out));
  }
  const std::string& separator = bound.text(0).bytes;
  if (separator.empty()) raise("empty separator");
  if (!from_right) {
    size_t begin = 0;
    for (size_t at; left > 0 && (at = bytes.find(separator, begin)) != std::string::npos; --left) {
      add(begin, at);
      begin = at + separator.size();
    }
    add(begin, bytes.size());
  } else {
    size_t end = bytes.size();
    for (size_t at; left > 0 && end >= separator.size() &&
                    (at = bytes.rfind(separator, end - separator.size())) != std::string::npos;
         --left) {
      add(at + separator.size(), end);
      end = at;
    }
    add(0, end);
    std::reverse(out.begin(), out.end());
  }
  return Value::list(std::move(out));
}

Value partition_method(const Value& self, Args& args, const char* name, bool last) {
  const Bound bound(name, args, {""}, 1);
  const std::string& bytes = self.bytes();
  const std::string& separator = bound.text(0).bytes;
  if (separator.empty()) raise("empty separator");
  const size_t at = last ? bytes.rfind(separator) : bytes.find(separator);
  const Value empty = slice_bytes(self, 0, 0);
  if (at == std::string::npos)
    return last ? Value::tuple({empty, empty, self}) : Value::tuple({self, empty, empty});
  const size_t end = at + separator.size();
  return Value::tuple(
      {slice_bytes(self, 0, at), slice_bytes(self, at, end), slice_bytes(self, end, bytes.size())});
}

Value strip_method(const Value& self, Args& args, const char* name, bool left, bool right) {
  return strip(self, Bound(name, args, {""}).at(0), left, right);
}

Value just(const Value& self, Args& args, const char* name, bool left, bool right) {
  const Bound bound(name, args, {"", ""}, 1);
  const Str& text = self.as_str();
  const int64_t width = bound.integer(0, 0);
  Value fill = bound.has(1) ? bound.at(1) : Value::string(" ");
  if (text.markup) fill = escape_html(to_str(fill));
  if (!fill.is(Kind::string))
    raise("The fill character must be a unicode character, not {}", type_name(fill));
  if (fill.as_str().length != 1) raise("The fill character must be exactly one character long");
  if (left && right) return centered(self, width, fill);
  Text out;
  const int64_t missing = width - static_cast<int64_t>(text.length);
  if (right) {
    for (int64_t i = 0; i < missing; ++i) out.append(fill.as_str());
  }
  out.append(text);
  if (left) {
    for (int64_t i = 0; i < missing; ++i) out.append(fill.as_str());
  }
  return out.finish(text.markup);
}

Value zfill(Interpreter&, const Value& self, Args& args) {
  const Str& text = self.as_str();
  const int64_t missing =
      Bound("zfill", args, {""}, 1).integer(0, 0) - static_cast<int64_t>(text.length);
  const size_t sign = text.bytes.starts_with('+') || text.bytes.starts_with('-') ? 1 : 0;
  Text out;
  out.append(text, 0, sign);
  if (missing > 0) out.repeat("0", static_cast<size_t>(missing));
  out.append(text, sign, text.bytes.size());
  return out.finish(text.markup);
}

Value expand_tabs(Interpreter&, const Value& self, Args& args) {
  const int64_t size = Bound("expandtabs", args, {"tabsize"}).integer(0, 8);
  const Str& text = self.as_str();
  Text out;
  int64_t column = 0;
  for (size_t at = 0; at < text.bytes.size(); at += char_size(text.bytes, at)) {
    const char c = text.bytes[at];
    if (c == '\t') {
      if (size > 0) {
        const int64_t spaces = size - column % size;
        out.repeat(" ", static_cast<size_t>(spaces));
        column += spaces;
      }
      continue;
    }
    ++column;
    if (c == '\n' || c == '\r') column = 0;
    out.append(text, at, at + char_size(text.bytes, at));
  }
  return out.finish(text.markup);
}

Value remove_affix(const Value& self, Args& args, const char* name, bool at_end) {
  const Bound bound(name, args, {""}, 1);
  const std::string &bytes = self.bytes(), &affix = bound.text(0).bytes;
  if (affix.empty() || !(at_end ? bytes.ends_with(affix) : bytes.starts_with(affix))) return self;
  return at_end ? slice_bytes(self, 0, bytes.size() - affix.size())
                : slice_bytes(self, affix.size(), bytes.size());
}

template <char how>
Value case_method(Interpreter&, const Value& self, Args& args) {
  no_arguments("method", args);
  return map_case(self, how);
}

template <bool (*holds)(uint32_t)>
Value all_method(Interpreter&, const Value& self, Args& args) {
  no_arguments("method", args);
  return Value::boolean(all_chars(self.as_str(), holds));
}

bool is_ascii(uint32_t c) { return c < 0x80; }

Value replace_method(Interpreter&, const Value& self, Args& args) {
  const Bound bound("replace", args, {"", "", ""}, 2);
  Value with = bound.at(1);
  if (self.as_str().markup) with = escape_html(to_str(with));
  if (with.is(Kind::undefined)) raise_undefined(with);
  if (!with.is(Kind::string)) raise("replace() argument 2 must be str, not {}", type_name(with));
  bound.text(0);
  return replace(self, bound.at(0), with, bound.integer(2, -1));
}

Value format_map(Interpreter& interpreter, const Value& self, Args& args) {
  const Bound bound("format_map", args, {""}, 1);
  const Value values = bound.at(0);
  if (!values.is(Kind::dict)) raise("format_map() takes a mapping");
  Args named;
  for (const auto& [key, value] : values.as_dict().entries) {
    if (key.is(Kind::string)) named.named.emplace_back(key.bytes(), value);
  }
  return format_braces(interpreter, self, named);
}

Value is_identifier(Interpreter&, const Value& self, Args& args) {
  no_arguments("isidentifier", args);
  const std::string& text = self.bytes();
  if (text.empty()) return Value::boolean(false);
  bool valid = is_identifier_start(char_at(text, 0));
  for (size_t at = 0; at < text.size(); at += char_size(text, at))
    valid &= is_identifier_part(char_at(text, at));
  return Value::boolean(valid);
}

Value not_supported(Interpreter&, const Value&, Args&) {
  throw Failure{"bytes and tables of translation are not supported", ErrorKind::unsupported};
}

struct Entry {
  const char* name;
  Method method;
};

constexpr Entry kMethods[] = {
    {"capitalize", case_method<'c'>},
    {"casefold", case_method<'f'>},
    {"center",
     [](Interpreter&, const Value& s, Args& a) { return just(s, a, "center", true, true); }},
    {"count", count_in},
    {"encode", not_supported},
    {"endswith",
     [](Interpreter&, const Value& s, Args& a) { return affix(s, a, "endswith", true); }},
    {"expandtabs", expand_tabs},
    {"find",
     [](Interpreter&, const Value& s, Args& a) { return find_in(s, a, "find", false, false); }},
    {"format", [](Interpreter& i, const Value& s, Args& a) { return format_braces(i, s, a); }},
    {"format_map", format_map},
    {"index",
     [](Interpreter&, const Value& s, Args& a) { return find_in(s, a, "index", false, true); }},
    {"isalnum", all_method<is_alnum>},
    {"isalpha", all_method<is_alpha>},
    {"isascii",
     [](Interpreter&, const Value& s, Args& a) {
       no_arguments("isascii", a);
       return Value::boolean(s.bytes().empty() || all_chars(s.as_str(), is_ascii));
     }},
    {"isdecimal", all_method<is_decimal>},
    {"isdigit", all_method<is_digit>},
    {"isidentifier", is_identifier},
    {"islower",
     [](Interpreter&, const Value& s, Args& a) {
       no_arguments("islower", a);
       return Value::boolean(is_case(s.as_str(), false));
     }},
    {"isnumeric", all_method<is_numeric>},
    {"isprintable",
     [](Interpreter&, const Value& s, Args& a) {
       no_arguments("isprintable", a);
       return Value::boolean(s.bytes().empty() || all_chars(s.as_str(), is_printable));
     }},
    {"isspace", all_method<is_space>},
    {"istitle",
     [](Interpreter&, const Value& s, Args& a) {
       no_arguments("istitle", a);
       return Value::boolean(is_titled(s.as_str()));
     }},
    {"isupper",
     [](Interpreter&, const Value& s, Args& a) {
       no_arguments("isupper", a);
       return Value::boolean(is_case(s.as_str(), true));
     }},
    {"join", [](Interpreter&, const Value& s,
                Args& a) { return join(s, Bound("join", a, {""}, 1).at(0)); }},
    {"ljust",
     [](Interpreter&, const Value& s, Args& a) { return just(s, a, "ljust", true, false); }},
    {"lower", case_method<'l'>},
    {"lstrip", [](Interpreter&, const Value& s,
                  Args& a) { return strip_method(s, a, "lstrip", true, false); }},
    {"maketrans", not_supported},
    {"partition", [](Interpreter&, const Value& s,
                     Args& a) { return partition_method(s, a, "partition", false); }},
    {"removeprefix", [](Interpreter&, const Value& s,
                        Args& a) { return remove_affix(s, a, "removeprefix", false); }},
    {"removesuffix", [](Interpreter&, const Value& s,
                        Args& a) { return remove_affix(s, a, "removesuffix", true); }},
    {"replace", replace_method},
    {"rfind",
     [](Interpreter&, const Value& s, Args& a) { return find_in(s, a, "rfind", true, false); }},
    {"rindex",
     [](Interpreter&, const Value& s, Args& a) { return find_in(s, a, "rindex", true, true); }},
    {"rjust",
     [](Interpreter&, const Value& s, Args& a) { return just(s, a, "rjust", false, true); }},
    {"rpartition", [](Interpreter&, const Value& s,
                      Args& a) { return partition_method(s, a, "rpartition", true); }},
    {"rsplit",
     [](Interpreter&, const Value& s, Args& a) { return split_method(s, a, "rsplit", true); }},
    {"rstrip", [](Interpreter&, const Value& s,
                  Args& a) { return strip_method(s, a, "rstrip", false, true); }},
    {"split",
     [](Interpreter&, const Value& s, Args& a) { return split_method(s, a, "split", false); }},
    {"splitlines",
     [](Interpreter&, const Value& s, Args& a) {
       return split_lines(s, Bound("splitlines", a, {"keepends"}).truth(0, false));
     }},
    {"startswith",
     [](Interpreter&, const Value& s, Args& a) { return affix(s, a, "startswith", false); }},
    {"strip",
     [](Interpreter&, const Value& s, Args& a) { return strip_method(s, a, "strip", true, true); }},
    {"swapcase", case_method<'s'>},
    {"title", case_method<'t'>},
    {"translate", not_supported},
    {"upper", case_method<'u'>},
    {"zfill", zfill},
};

}  // namespace

Method string_method(std::string_view name) {
  const auto* found =
      std::lower_bound(std::begin(kMethods), std::end(kMethods), name,
                       [](const Entry& entry, std::string_view n) { return entry.name < n; });
  return found != std::end(kMethods) && found->name == name ? found->method : nullptr;
}

}  // namespace ashlar::jinja
