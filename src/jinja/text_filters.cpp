// Filters of text and numbers.
#include <cmath>

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
  const int64_t base = bound.integer(1, 10);
  if (base >= 0 && base <= 36) {
    if (const auto number = parse_int(value.bytes(), static_cast<int>(base)))
      return Value::integer(*number);
  }
  const auto number = parse_float(value.bytes());
  return number && std::isfinite(*number) ? Value::integer(int_of_double(*number)) : otherwise;
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
  return to_int64(value) < 0 ? signed_number(Op::negate, value) : Value::integer(to_int64(value));
}

Value filter_round(Interpreter&, const Value& value, Args& args) {
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
  const Value unit = arithmetic(Op::power, Value::integer(10), precision);
  const Value scaled = arithmetic(Op::multiply, value, unit);
  if (!scaled.is_number()) raise("must be real number, not {}", type_name(scaled));
  Value whole = scaled;
  if (scaled.is(Kind::floating)) {
    const double d = scaled.as_double();
    whole = Value::integer(int_of_double(method == "ceil" ? std::ceil(d) : std::floor(d)));
  }
  return arithmetic(Op::divide, whole, unit);
}

Value filter_format(Interpreter&, const Value& value, Args& args) {
  if (!args.positional.empty() && !args.named.empty()) {
    raise("can't handle positional and keyword arguments at the same time");
  }
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
