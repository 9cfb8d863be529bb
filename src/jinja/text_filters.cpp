// Filters of text and numbers.
#include <cmath>
#include <functional>

#include "base/character_runs.h"
#include "jinja/builtin.h"
#include "jinja/unicode.h"

namespace ashlar::jinja {
namespace {

Value filter_replace(Interpreter&, const Value& value, Args& args) {
  const Bound bound("replace", args, {"old", "new", "count"}, 2);
  const int64_t count = bound.is_none(2) ? -1 : bound.integer(2, -1);
  return with_markup(replace(to_str(value), to_str(bound.at(0)), to_str(bound.at(1)), count),
                     false);
}

Value filter_title(Interpreter&, const Value& value, Args& args) {
  no_arguments("title", args);
  const Value text = to_str(value);
  const std::string& bytes = text.bytes();
  const auto separates = [](uint32_t c) {
    return is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  Text out;
  for (size_t at = 0; at < bytes.size();) {
    const size_t begin = at;
    const bool separator = separates(char_at(bytes, at));
    at = utf8::end_of_run(bytes, at, [&](uint32_t c) { return separates(c) == separator; });
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
  const Value indention = bound.has(0) && bound.at(0).is(Kind::string)
                              ? bound.at(0)
                              : repeat_string(Value::string(" "), bound.integer(0, 4));
  const Str& text = value.as_str();
  const std::string& bytes = text.bytes;
  Text out;
  if (bound.truth(1, false)) out.append(indention.as_str());
  for (size_t at = 0;;) {
    const size_t end = utf8::end_of_run(bytes, at, std::not_fn(is_line_break));
    out.append(text, at, end);
    if (end == bytes.size()) break;
    at = end + (bytes.compare(end, 2, "\r\n") == 0 ? 2 : char_size(bytes, end));
    // Jinja2 adds a \n to the text, which with a \r before it is one line break.
    if (at == bytes.size() && bytes.back() == '\r') break;
    out.literal("\n");
    const bool blank = at == bytes.size() || is_line_break(char_at(bytes, at));
    if (!blank || bound.truth(2, false)) out.append(indention.as_str());
  }
  return out.finish(text.markup);
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
  return arithmetic(Op::add, cut, end);
}

Value filter_int(Interpreter&, const Value& value, Args& args) {
  const Bound bound("int", args, {"default", "base"});
  Value otherwise = bound.has(0) ? bound.at(0) : Value::integer(0);
  if (value.is(Kind::undefined)) raise_undefined(value);
  if (value.is(Kind::floating)) {
    return std::isnan(value.as_double()) ? otherwise
                                         : Value::integer(int_of_double(value.as_double()));
  }
  if (value.is(Kind::big)) return value;
  if (value.is_int_like()) return Value::integer(value.as_int64());
  if (!value.is(Kind::string)) return otherwise;
  if (bound.integer(1, 10) != 10) refuse("a base of the filter 'int' is");
  if (const auto number = parse_int(value.bytes())) return Value::integer(*number);
  const auto number = parse_float(value.bytes());
  return number && std::isfinite(*number) ? Value::integer(int_of_double(*number)) : otherwise;
}

Value filter_float(Interpreter&, const Value& value, Args& args) {
  const Bound bound("float", args, {"default"});
  if (value.is(Kind::undefined)) raise_undefined(value);
  if (value.is_number()) return Value::floating(number_to_double(value));
  const auto number = value.is(Kind::string) ? parse_float(value.bytes()) : std::nullopt;
  return number ? Value::floating(*number) : bound.has(0) ? bound.at(0) : Value::floating(0);
}

Value filter_abs(Interpreter&, const Value& value, Args& args) {
  no_arguments("abs", args);
  if (value.is(Kind::floating)) return Value::floating(std::fabs(value.as_double()));
  if (!value.is_int_like()) raise("bad operand type for abs(): '{}'", type_name(value));
  return to_int64(value) < 0 ? signed_number(Op::negate, value) : Value::integer(to_int64(value));
}

// `value` rounded half to even at 10^power, power > 0.
int64_t round_int(int64_t value, int64_t power) {
  if (power > 19) return 0;
  __int128 unit = 1;
  for (int64_t i = 0; i < power; ++i) unit *= 10;
  __int128 rest = value % unit, down = value - rest;
  if (rest < 0) rest += unit, down -= unit;
  if (2 * rest > unit || (2 * rest == unit && down / unit % 2 != 0)) down += unit;
  if (down > INT64_MAX || down < INT64_MIN) refuse(kBeyond64Bits);
  return static_cast<int64_t>(down);
}

double round_double(double value, int64_t digits) {
  constexpr int64_t kMost = 323;  // the smallest number has no more
  if (!std::isfinite(value) || value == 0 || digits > kMost) return value;
  std::string text;
  if (digits >= 0) {
    text = fmt::format("{:.{}f}", value, static_cast<int>(digits));
  } else {
    // The digits that stay of those before the point; none: half a unit or less is nothing.
    const auto before =
        static_cast<int64_t>(fmt::format("{:.0f}", std::trunc(std::fabs(value))).size());
    const int64_t kept = before + std::max(digits, -2 * kMost);
    const bool more = kept == 0 && std::fabs(value) > 5 * std::pow(10.0, before - 1);
    if (kept > 0)
      text = fmt::format("{:.{}e}", value, static_cast<int>(kept - 1));
    else
      text = more ? fmt::format("{}1e{}", value < 0 ? "-" : "", before) : value < 0 ? "-0" : "0";
  }
  const double out = std::strtod(text.c_str(), nullptr);
  if (std::isinf(out)) raise("rounded value too large to represent");
  return out;
}

// round(number, digits) as Python does.
Value round_number(const Value& number, const Value& digits) {
  if (!number.is_number()) raise("type {} doesn't define __round__ method", type_name(number));
  const bool whole = digits.is(Kind::none);
  const int64_t places = whole ? 0 : to_index(digits);
  if (!number.is(Kind::floating)) {
    const int64_t value = to_int64(number);
    return Value::integer(places < 0 ? round_int(value, -std::max<int64_t>(places, -100)) : value);
  }
  const double value = number.as_double();
  return whole ? Value::integer(int_of_double(std::nearbyint(value)))
               : Value::floating(round_double(value, places));
}

Value filter_round(Interpreter&, const Value& value, Args& args) {
  const Bound bound("round", args, {"precision", "method"});
  const Value precision = bound.has(0) ? bound.at(0) : Value::integer(0);
  const Value method = bound.has(1) ? bound.at(1) : Value::string("common");
  if (!method.is(Kind::string) || !one_of(method.bytes(), {"common", "ceil", "floor"}))
    raise("method must be common, ceil or floor");
  if (method.bytes() == "common") return round_number(value, precision);
  const Value unit = arithmetic(Op::power, Value::integer(10), precision);
  Value scaled = arithmetic(Op::multiply, value, unit);
  if (!scaled.is_number()) raise("must be real number, not {}", type_name(scaled));
  if (scaled.is(Kind::floating)) {
    const double number = scaled.as_double();
    scaled = Value::integer(
        int_of_double(method.bytes() == "ceil" ? std::ceil(number) : std::floor(number)));
  }
  return arithmetic(Op::divide, scaled, unit);
}

Value filter_format(Interpreter&, const Value& value, Args& args) {
  if (!args.positional.empty() && !args.named.empty())
    raise("can't handle positional and keyword arguments at the same time");
  if (!args.named.empty()) refuse("format with names is");
  return format_percent(to_str(value), Value::tuple(args.positional));
}

template <char how>
Value case_filter(Interpreter&, const Value& value, Args& args) {
  no_arguments("filter", args);
  return map_case(to_str(value), how);
}

Value escape(Interpreter&, const Value& value, Args& args) {
  no_arguments("escape", args);
  return escape_html(to_str(value));
}

constexpr Entry<FilterFunction> kFilters[] = {
    {"abs", filter_abs},
    {"capitalize", case_filter<'c'>},
    {"center",
     [](Interpreter&, const Value& v, Args& a) {
       return padded(to_str(v), Bound("center", a, {"width"}).integer(0, 80), Value::string(" "),
                     true, true);
     }},
    {"e", escape},
    {"escape", escape},
    {"float", filter_float},
    {"format", filter_format},
    {"indent", filter_indent},
    {"int", filter_int},
    {"lower", case_filter<'l'>},
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
       return to_str(v);
     }},
    {"title", filter_title},
    {"tojson", [](Interpreter&, const Value& v, Args& a) { return to_json(v, a); }},
    {"trim",
     [](Interpreter&, const Value& v, Args& a) {
       return strip(to_str(v), Bound("trim", a, {"chars"}).at(0), true, true);
     }},
    {"truncate", filter_truncate},
    {"upper", case_filter<'u'>},
};

}  // namespace

FilterFunction find_text_filter(std::string_view name) { return look_up(kFilters, name); }

}  // namespace ashlar::jinja
