// The methods of strings.
#include <algorithm>
#include <functional>

#include "base/character_runs.h"
#include "jinja/builtin.h"
#include "jinja/unicode.h"

namespace ashlar::jinja {
namespace {

// The bytes from argument 1 to argument 2; nothing where they begin behind their end.
std::optional<Span> part_of(const Str& text, const Bound& args) {
  const auto size = static_cast<int64_t>(text.length);
  const auto place = [&](size_t i, int64_t otherwise) {
    if (args.is_none(i)) return otherwise;
    if (!args.at(i).is_int_like())
      raise("slice indices must be integers or None or have an __index__ method");
    const int64_t at = to_index(args.at(i));
    return at < 0 ? std::max<int64_t>(at < -size ? 0 : at + size, 0) : at;
  };
  const int64_t start = place(1, 0), stop = std::min(place(2, size), size);
  if (start > stop) return std::nullopt;
  return Span{text.offset(static_cast<size_t>(start)), text.offset(static_cast<size_t>(stop))};
}

std::string_view view(const Str& text, const Span& part) {
  return std::string_view(text.bytes).substr(part.begin, part.end - part.begin);
}

template <bool last, bool must>
Value find_in(Interpreter&, const Value& self, Args& args) {
  const Bound bound("find", args, {"", "", ""}, 1);
  const Str &text = self.as_str(), &what = bound.text(0);
  if (const auto part = part_of(text, bound)) {
    const std::string_view in = view(text, *part);
    Budget::current()->step(in.size() / 64);
    const size_t at = last ? in.rfind(what.bytes) : in.find(what.bytes);
    if (at != std::string::npos) {
      const size_t before = count_chars(view(text, {0, part->begin + at}));
      return Value::integer(static_cast<int64_t>(before));
    }
  }
  if (must) raise("substring not found");
  return Value::integer(-1);
}

Value count_in(Interpreter&, const Value& self, Args& args) {
  const Bound bound("count", args, {"", "", ""}, 1);
  const std::string& what = bound.text(0).bytes;
  const auto part = part_of(self.as_str(), bound);
  if (!part) return Value::integer(0);
  const std::string_view in = view(self.as_str(), *part);
  Budget::current()->step(in.size() / 16);
  if (what.empty()) return Value::integer(static_cast<int64_t>(count_chars(in)) + 1);
  int64_t count = 0;
  for (size_t at = 0; (at = in.find(what, at)) != std::string_view::npos; at += what.size())
    ++count;
  return Value::integer(count);
}

template <bool at_end>
Value affix(Interpreter&, const Value& self, Args& args) {
  const char* const name = at_end ? "endswith" : "startswith";
  const Bound bound(name, args, {"", "", ""}, 1);
  const Value given = bound.at(0);
  if (given.is(Kind::undefined)) raise_undefined(given);
  const std::vector<Value> options =
      given.is(Kind::tuple) ? given.items() : std::vector<Value>{given};
  for (const auto& option : options) {
    if (!option.is(Kind::string)) {
      raise("{} first arg must be str or a tuple of str, not {}", name, type_name(option));
    }
  }
  const auto part = part_of(self.as_str(), bound);
  const auto holds = [&](const Value& option) {
    const std::string_view in = view(self.as_str(), *part);
    return at_end ? in.ends_with(option.bytes()) : in.starts_with(option.bytes());
  };
  return Value::boolean(part && std::any_of(options.begin(), options.end(), holds));
}

template <bool from_right>
Value split_method(Interpreter&, const Value& self, Args& args) {
  const Bound bound("split", args, {"sep", "maxsplit"});
  const Str& text = self.as_str();
  const std::string& bytes = text.bytes;
  const int64_t left = bound.integer(1, -1);
  Budget::current()->step(bytes.size() / 16);
  std::vector<Span> pieces;
  if (bound.is_none(0)) {  // words between white space
    for (size_t at = 0; at < bytes.size();) {
      const size_t begin = utf8::end_of_run(bytes, at, is_space);
      at = utf8::end_of_run(bytes, begin, std::not_fn(is_space));
      if (begin < at) pieces.push_back({begin, at});
    }
  } else {
    const std::string& separator = bound.text(0).bytes;
    if (separator.empty()) raise("empty separator");
    size_t begin = 0, end = bytes.size(), at;
    if (!from_right) {
      for (; (at = bytes.find(separator, begin)) != std::string::npos;
           begin = at + separator.size())
        pieces.push_back({begin, at});
      pieces.push_back({begin, end});
    } else {
      for (; end >= separator.size() &&
             (at = bytes.rfind(separator, end - separator.size())) != std::string::npos;
           end = at)
        pieces.push_back({at + separator.size(), end});
      pieces.push_back({0, end});
      std::reverse(pieces.begin(), pieces.end());
    }
  }
  // Where it is cut fewer times, the rest is one piece, with the white space at its end.
  if (left >= 0 && static_cast<size_t>(left) < pieces.size()) {
    if (!from_right) {
      pieces.resize(static_cast<size_t>(left) + 1);
      pieces.back().end = bytes.size();
    } else {
      pieces.erase(pieces.begin(), pieces.end() - static_cast<std::ptrdiff_t>(left) - 1);
      pieces.front().begin = 0;
    }
  }
  std::vector<Value> out;
  Charge charge;
  for (const Span& piece : pieces) {
    charge.take(sizeof(Value));
    out.push_back(slice_bytes(self, piece.begin, piece.end));
  }
  return Value::list(std::move(out));
}

template <bool last>
Value partition(Interpreter&, const Value& self, Args& args) {
  const Bound bound("partition", args, {""}, 1);
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

Value split_lines(Interpreter&, const Value& self, Args& args) {
  const bool keep_ends = Bound("splitlines", args, {"keepends"}).truth(0, false);
  const std::string& bytes = self.bytes();
  std::vector<Value> out;
  Charge charge;
  for (size_t at = 0; at < bytes.size();) {
    const size_t begin = at;
    at = utf8::end_of_run(bytes, begin, std::not_fn(is_line_break));
    size_t end = at;
    if (end < bytes.size()) at += bytes.compare(end, 2, "\r\n") == 0 ? 2 : char_size(bytes, end);
    if (keep_ends) end = at;
    charge.take(sizeof(Value));
    out.push_back(slice_bytes(self, begin, end));
  }
  return Value::list(std::move(out));
}

template <bool at_end>
Value remove_affix(Interpreter&, const Value& self, Args& args) {
  const Bound bound("removeprefix, removesuffix", args, {""}, 1);
  const std::string &bytes = self.bytes(), &affix = bound.text(0).bytes;
  if (affix.empty() || !(at_end ? bytes.ends_with(affix) : bytes.starts_with(affix))) return self;
  return at_end ? slice_bytes(self, 0, bytes.size() - affix.size())
                : slice_bytes(self, affix.size(), bytes.size());
}

template <bool left, bool right>
Value strip_method(Interpreter&, const Value& self, Args& args) {
  return strip(self, Bound("strip", args, {""}).at(0), left, right);
}

template <bool left, bool right>
Value just(Interpreter&, const Value& self, Args& args) {
  const Bound bound("center, ljust, rjust", args, {"", ""}, 1);
  const int64_t width = bound.integer(0, 0);
  Value fill = bound.has(1) ? bound.at(1) : Value::string(" ");
  if (self.as_str().markup) fill = escape_html(to_str(fill));
  if (!fill.is(Kind::string))
    raise("The fill character must be a unicode character, not {}", type_name(fill));
  if (fill.as_str().length != 1) raise("The fill character must be exactly one character long");
  return padded(self, width, fill, left, right);
}

Value zfill(Interpreter&, const Value& self, Args& args) {
  const Str& text = self.as_str();
  const int64_t width = Bound("zfill", args, {""}, 1).integer(0, 0);
  const size_t sign = text.bytes.starts_with('+') || text.bytes.starts_with('-') ? 1 : 0;
  Text out;
  out.append(text, 0, sign);
  out.append(padded(slice_bytes(self, sign, text.bytes.size()), width - static_cast<int64_t>(sign),
                    Value::string("0"), true, false)
                 .as_str());
  return out.finish(text.markup);
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

Value replace_method(Interpreter&, const Value& self, Args& args) {
  const Bound bound("replace", args, {"", "", ""}, 2);
  Value with = bound.at(1);
  if (self.as_str().markup) with = escape_html(to_str(with));
  if (with.is(Kind::undefined)) raise_undefined(with);
  if (!with.is(Kind::string)) raise("replace() argument 2 must be str, not {}", type_name(with));
  bound.text(0);
  return replace(self, bound.at(0), with, bound.integer(2, -1));
}

template <bool upper>
Value case_is(Interpreter&, const Value& self, Args& args) {
  no_arguments("method", args);
  return Value::boolean(is_case(self.as_str(), upper));
}

constexpr Entry<Method> kMethods[] = {
    {"capitalize", case_method<'c'>},
    {"center", just<true, true>},
    {"count", count_in},
    {"endswith", affix<true>},
    {"find", find_in<false, false>},
    {"format", [](Interpreter&, const Value& s, Args& a) { return format_braces(s, a); }},
    {"index", find_in<false, true>},
    {"isalnum", all_method<is_alnum>},
    {"isalpha", all_method<is_alpha>},
    {"isdigit", all_method<is_digit>},
    {"islower", case_is<false>},
    {"isspace", all_method<is_space>},
    {"isupper", case_is<true>},
    {"join", [](Interpreter&, const Value& s,
                Args& a) { return join(s, Bound("join", a, {""}, 1).at(0)); }},
    {"ljust", just<false, true>},
    {"lower", case_method<'l'>},
    {"lstrip", strip_method<true, false>},
    {"partition", partition<false>},
    {"removeprefix", remove_affix<false>},
    {"removesuffix", remove_affix<true>},
    {"replace", replace_method},
    {"rfind", find_in<true, false>},
    {"rindex", find_in<true, true>},
    {"rjust", just<true, false>},
    {"rpartition", partition<true>},
    {"rsplit", split_method<true>},
    {"rstrip", strip_method<false, true>},
    {"split", split_method<false>},
    {"splitlines", split_lines},
    {"startswith", affix<false>},
    {"strip", strip_method<true, true>},
    {"title", case_method<'t'>},
    {"upper", case_method<'u'>},
    {"zfill", zfill},
};

}  // namespace

Method string_method(std::string_view name) {
  if (one_of(name, {"casefold", "encode", "expandtabs", "format_map", "isascii", "isdecimal",
                    "isidentifier", "isnumeric", "isprintable", "istitle", "maketrans", "swapcase",
                    "translate"}))
    refuse(fmt::format("the method '{}' of strings is", name));
  return look_up(kMethods, name);
}

}  // namespace ashlar::jinja
