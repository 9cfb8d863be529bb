// Filters of text and numbers.
#include <algorithm>
#include <cmath>

#include "jinja/builtin.h"
#include "jinja/unicode.h"

namespace ashlar::jinja {
namespace {

Value filter_replace(Interpreter& interpreter, const Value& value, Args& args) {
  const Bound bound("replace", args, {"old", "new", "count"}, 2);
  const int64_t count = bound.is_none(2) ? -1 : bound.integer(2, -1);
  const Value old = to_str(bound.at(0));
  Value with = to_str(bound.at(1)), text = to_str(value);
  if (!interpreter.autoescape()) return with_markup(replace(text, old, with, count), false);
  if (old.as_str().markup || (with.as_str().markup && !text.as_str().markup))
    text = escape_html(text);
  if (text.as_str().markup) with = escape_html(with);
  return replace(text, old, with, count);
}

Value filter_title(Interpreter&, const Value& value, Args& args) {
  no_arguments("title", args);
  const Value text = soft_str(value);
  const std::string& bytes = text.bytes();
  const auto separates = [](uint32_t c) {
    return is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  Text out;
  for (size_t at = 0; at < bytes.size();) {
    const size_t begin = at;
    const bool separator = separates(char_at(bytes, at));
    while (at < bytes.size() && separates(char_at(bytes, at)) == separator)
      at += char_size(bytes, at);
    const size_t second = begin + char_size(bytes, begin);
    out.append(map_case(slice_bytes(text, begin, second), 'u').as_str());
    out.append(map_case(slice_bytes(text, second, at), 'l').as_str());
  }
  return out.finish();
}

Value filter_indent(Interpreter&, const Value& value, Args& args) {
  const Bound bound("indent", args, {"width", "first", "blank"});
  if (value.is(Kind::undefined)) raise_undefined(value);
  if (!value.is(Kind::string))
    raise("unsupported operand type(s) for +=: '{}' and 'str'", type_name(value));
  Value indention;
  if (bound.has(0) && bound.at(0).is(Kind::string)) {
    indention = bound.at(0);
  } else {
    const int64_t width = bound.integer(0, 4);
    indention = repeat_string(Value::string(" "), width);
  }
  const bool markup = value.as_str().markup;
  const Value lines = split_lines(concatenate(value, Value::string("\n")), false);
  Text out;
  if (bound.truth(1, false)) out.append(indention.as_str());
  for (size_t i = 0; i < lines.items().size(); ++i) {
    const Value& line = lines.items()[i];
    if (i > 0) {
      out.literal("\n");
      if (bound.truth(2, false) || !line.bytes().empty()) out.append(indention.as_str());
    }
    out.append(line.as_str());
  }
  return out.finish(markup);
}

Value filter_truncate(Interpreter& interpreter, const Value& value, Args& args) {
  const Bound bound("truncate", args, {"length", "killwords", "end", "leeway"});
  const int64_t wanted = bound.integer(0, 255);
  const Value end = bound.has(2) ? bound.at(2) : Value::string("...");
  const int64_t leeway = bound.is_none(3) ? 5 : bound.integer(3, 5);
  const auto end_size = static_cast<int64_t>(length(end));
  if (wanted < end_size) raise("expected length >= {}, got {}", end_size, wanted);
  if (leeway < 0) raise("expected leeway >= 0, got {}", leeway);
  if (static_cast<int64_t>(length(value)) <= wanted + leeway) return value;
  Value cut = slice(interpreter, value, Value(), Value::integer(wanted - end_size), Value());
  if (!cut.is(Kind::string)) raise("'{}' object has no attribute 'rsplit'", type_name(cut));
  if (!bound.truth(1, false)) {
    const size_t space = cut.bytes().rfind(' ');
    if (space != std::string::npos) cut = slice_bytes(cut, 0, space);
  }
  return arithmetic(interpreter, Op::add, cut, end);
}

Value filter_wordcount(Interpreter&, const Value& value, Args& args) {
  no_arguments("wordcount", args);
  const Value text = soft_str(value);
  const std::string& bytes = text.bytes();
  int64_t count = 0;
  bool inside = false;
  for (size_t at = 0; at < bytes.size(); at += char_size(bytes, at)) {
    const bool word = is_word(char_at(bytes, at));
    count += word && !inside;
    inside = word;
  }
  return Value::integer(count);
}

// What a number becomes as an int; nothing where Python raises TypeError or ValueError.
std::optional<Value> int_of_double(double value) {
  if (std::isnan(value)) return std::nullopt;
  if (std::isinf(value)) raise("cannot convert float infinity to integer");
  return Value::integer(BigInt::from_double(value));
}

Value filter_int(Interpreter&, const Value& value, Args& args) {
  const Bound bound("int", args, {"default", "base"});
  const Value otherwise = bound.has(0) ? bound.at(0) : Value::integer(0);
  if (value.is(Kind::undefined)) raise_undefined(value);
  if (value.is(Kind::floating)) return int_of_double(value.as_double()).value_or(otherwise);
  if (value.is_int_like()) return Value::integer(value.as_big());
  if (!value.is(Kind::string)) return otherwise;
  const int64_t base = bound.integer(1, 10);
  if (base >= 0 && base <= 36) {
    if (const auto number = parse_int(value.bytes(), static_cast<int>(base))) return *number;
  }
  const auto number = parse_float(value.bytes());
  return number && std::isfinite(*number) ? *int_of_double(*number) : otherwise;
}

Value filter_float(Interpreter&, const Value& value, Args& args) {
  const Bound bound("float", args, {"default"});
  const auto number = to_float(value);
  return number ? Value::floating(*number) : bound.has(0) ? bound.at(0) : Value::floating(0);
}

Value filter_abs(Interpreter&, const Value& value, Args& args) {
  no_arguments("abs", args);
  if (value.is(Kind::floating)) return Value::floating(std::fabs(value.as_double()));
  if (!value.is_int_like()) raise("bad operand type for abs(): '{}'", type_name(value));
  const BigInt big = value.as_big();
  return Value::integer(big.negative() ? -big : big);
}

Value filter_round(Interpreter& interpreter, const Value& value, Args& args) {
  const Bound bound("round", args, {"precision", "method"});
  const Value precision = bound.has(0) ? bound.at(0) : Value::integer(0);
  const std::string method =
      bound.has(1) && bound.at(1).is(Kind::string) ? bound.at(1).bytes() : "common";
  if (bound.has(1) && !bound.at(1).is(Kind::string)) raise("method must be common, ceil or floor");
  if (method == "common") {
    if (value.is(Kind::undefined)) raise("type Undefined doesn't define __round__ method");
    return round_number(value, precision, true);
  }
  if (method != "ceil" && method != "floor") raise("method must be common, ceil or floor");
  const Value unit = arithmetic(interpreter, Op::power, Value::integer(10), precision);
  const Value scaled = arithmetic(interpreter, Op::multiply, value, unit);
  if (!scaled.is_number()) raise("must be real number, not {}", type_name(scaled));
  Value whole = scaled;
  if (scaled.is(Kind::floating)) {
    const double d = scaled.as_double();
    if (std::isnan(d)) raise("cannot convert float NaN to integer");
    whole = *int_of_double(method == "ceil" ? std::ceil(d) : std::floor(d));
  }
  return arithmetic(interpreter, Op::divide, whole, unit);
}

Value filter_format(Interpreter&, const Value& value, Args& args) {
  if (!args.positional.empty() && !args.named.empty()) {
    raise("can't handle positional and keyword arguments at the same time");
  }
  if (args.named.empty()) return format_percent(soft_str(value), Value::tuple(args.positional));
  auto dict = std::make_shared<Dict>();
  for (const auto& [name, item] : args.named) dict->set(Value::string(name), item);
  return format_percent(soft_str(value), Value::dict(std::move(dict)));
}

Value filter_filesizeformat(Interpreter&, const Value& value, Args& args) {
  const bool binary = Bound("filesizeformat", args, {"binary"}).truth(0, false);
  const auto number = to_float(value);
  if (!number) raise("could not convert to float: {}", repr(value));
  const double bytes = *number, base = binary ? 1024 : 1000;
  if (bytes == 1) return Value::string("1 Byte");
  if (bytes < base) return Value::string(int_digits(*int_of_double(bytes)) + " Bytes");
  constexpr std::string_view kPrefixes = "kMGTPEZY";
  double unit = base;
  for (size_t i = 0; i < kPrefixes.size(); ++i) {
    unit *= base;
    if (bytes < unit || i + 1 == kPrefixes.size()) {
      const char prefix = binary && i == 0 ? 'K' : kPrefixes[i];
      return Value::string(
          fmt::format("{:.1f} {}{}", base * bytes / unit, prefix, binary ? "iB" : "B"));
    }
  }
  return Value();
}

void append_quoted(const Value& value, bool query, Text& out) {
  const Value text = to_str(value);
  const Str& in = text.as_str();
  for (size_t i = 0; i < in.bytes.size(); ++i) {
    const auto c = static_cast<unsigned char>(in.bytes[i]);
    if ((c < 0x80 && std::isalnum(c)) || c == '_' || c == '.' || c == '-' || c == '~' ||
        (c == '/' && !query)) {
      out.append(in, i, i + 1);
    } else {
      out.append(query && c == ' ' ? "+" : fmt::format("%{:02X}", c), in.from_value_at(i));
    }
  }
}

Value filter_urlencode(Interpreter&, const Value& value, Args& args) {
  no_arguments("urlencode", args);
  Text out;
  if (value.is(Kind::string) || !Cursor::possible(value)) {
    append_quoted(value, false, out);
    return out.finish();
  }
  bool first = true;
  const auto pair = [&](const Value& key, const Value& item) {
    if (!first) out.literal("&");
    first = false;
    append_quoted(key, true, out);
    out.literal("=");
    append_quoted(item, true, out);
  };
  if (value.is(Kind::dict)) {
    for (const auto& [key, item] : value.as_dict().entries) pair(key, item);
    return out.finish();
  }
  Cursor cursor(value);
  for (Value item; cursor.next(item);) {
    const std::vector<Value> both = to_vector(item);
    if (both.size() != 2) raise("not enough or too many values to unpack (expected 2)");
    pair(both[0], both[1]);
  }
  return out.finish();
}

Value filter_xmlattr(Interpreter& interpreter, const Value& value, Args& args) {
  const bool space = Bound("xmlattr", args, {"autospace"}).truth(0, true);
  if (value.is(Kind::undefined)) raise_undefined(value);
  if (!value.is(Kind::dict)) raise("'{}' object has no attribute 'items'", type_name(value));
  Text out;
  for (const auto& [key, item] : value.as_dict().entries) {
    if (item.is(Kind::none) || item.is(Kind::undefined)) continue;
    if (!key.is(Kind::string))
      raise("expected string or bytes-like object, got '{}'", type_name(key));
    if (key.bytes().find_first_of(" \t\n\r\f\v/>=") != std::string::npos) {
      raise("Invalid character in attribute name: {}", repr(key));
    }
    if (space || !out.empty()) out.literal(" ");
    out.append(escape_html(key).as_str());
    out.literal("=\"");
    out.append(escape_html(to_str(item)).as_str());
    out.literal("\"");
  }
  return out.finish(interpreter.autoescape());
}

// Comments, then tags go; white space becomes single spaces; the common entities become characters.
Value filter_striptags(Interpreter&, const Value& value, Args& args) {
  no_arguments("striptags", args);
  const Value text = to_str(value);
  std::string bytes = text.bytes();
  const auto cut = [&](std::string_view open, std::string_view close) {
    std::string kept;
    size_t at = 0;
    for (;;) {
      const size_t begin = bytes.find(open, at);
      const size_t end = begin == std::string::npos ? begin : bytes.find(close, begin);
      Budget::current()->step(1);
      if (end == std::string::npos) break;
      kept.append(bytes, at, begin - at);
      at = end + close.size();
    }
    kept.append(bytes, at, std::string::npos);
    bytes = std::move(kept);
  };
  cut("<!--", "-->");
  cut("<", ">");
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += char_size(bytes, at)) {
    if (!is_space(char_at(bytes, at)))
      out += bytes.substr(at, char_size(bytes, at));
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  for (const auto& [entity, character] : {std::pair{"&lt;", "<"},
                                          {"&gt;", ">"},
                                          {"&#34;", "\""},
                                          {"&quot;", "\""},
                                          {"&#39;", "'"},
                                          {"&amp;", "&"}}) {
    for (size_t at = 0; (at = out.find(entity, at)) != std::string::npos; ++at) {
      out.replace(at, std::string_view(entity).size(), character);
    }
  }
  return with_markup(derived_string(out, text.as_str()), false);
}

template <char how>
Value case_filter(Interpreter&, const Value& value, Args& args) {
  no_arguments("filter", args);
  return map_case(soft_str(value), how);
}

Value escape(Interpreter&, const Value& value, Args& args) {
  no_arguments("escape", args);
  return escape_html(to_str(value));
}

constexpr FilterEntry kFilters[] = {
    {"abs", filter_abs},
    {"capitalize", case_filter<'c'>},
    {"center",
     [](Interpreter&, const Value& v, Args& a) {
       return centered(soft_str(v), Bound("center", a, {"width"}).integer(0, 80),
                       Value::string(" "));
     }},
    {"e", escape},
    {"escape", escape},
    {"filesizeformat", filter_filesizeformat},
    {"float", filter_float},
    {"forceescape",
     [](Interpreter&, const Value& v, Args& a) {
       no_arguments("forceescape", a);
       return escape_html(with_markup(to_str(v), false));
     }},
    {"format", filter_format},
    {"indent", filter_indent},
    {"int", filter_int},
    {"lower", case_filter<'l'>},
    {"pprint",
     [](Interpreter&, const Value& v, Args& a) {
       no_arguments("pprint", a);
       return pretty(v);
     }},
    {"replace", filter_replace},
    {"round", filter_round},
    {"safe",
     [](Interpreter&, const Value& v, Args& a) {
       no_arguments("safe", a);
       return with_markup(to_str(v), true);
     }},
    {"string",
     [](Interpreter&, const Value& v, Args& a) {
       no_arguments("string", a);
       return soft_str(v);
     }},
    {"striptags", filter_striptags},
    {"title", filter_title},
    {"tojson", [](Interpreter&, const Value& v, Args& a) { return to_json(v, a); }},
    {"trim",
     [](Interpreter&, const Value& v, Args& a) {
       return strip(soft_str(v), Bound("trim", a, {"chars"}).at(0), true, true);
     }},
    {"truncate", filter_truncate},
    {"upper", case_filter<'u'>},
    {"urlencode", filter_urlencode},
    {"urlize", filter_urlize},
    {"wordcount", filter_wordcount},
    {"wordwrap", filter_wordwrap},
    {"xmlattr", filter_xmlattr},
};

}  // namespace

FilterFunction find_text_filter(std::string_view name) {
  for (const auto& [known, function] : kFilters) {
    if (name == known) return function;
  }
  return nullptr;
}

}  // namespace ashlar::jinja
