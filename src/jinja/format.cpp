// "…" % values and "…".format(values): text and numbers in a given width. What else Python's
// formats can do, templates do not use; it is refused by name.
#include <cmath>

#include "jinja/builtin.h"
#include "jinja/unicode.h"

namespace ashlar::jinja {
namespace {

constexpr int64_t kMaxWidth = 1'000'000, kMaxPrecision = 1000;

// What one conversion asks for: [-0][width][.precision][type] of %, [<>0][width][.precision][type]
// of braces.
struct Field {
  bool left = false, right = false, zero = false;
  int64_t width = 0, precision = -1;
  char type = 0;  // s, d, f, or 0: what suits the value
};

int64_t digits(std::string_view text, size_t& at, int64_t most, std::string_view what) {
  int64_t out = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    out = out * 10 + (text[at] - '0');
    if (out > most) throw Failure{fmt::format("{} too big", what), ErrorKind::resource};
  }
  return out;
}

// Width, precision and type from `at`.
void parse_size(std::string_view text, size_t& at, Field& field) {
  field.width = digits(text, at, kMaxWidth, "width");
  if (at < text.size() && text[at] == '.') {
    ++at;
    field.precision = digits(text, at, kMaxPrecision, "precision");
  }
  if (at < text.size() && std::string_view("sdif").find(text[at]) != std::string_view::npos) {
    field.type = text[at] == 'i' ? 'd' : text[at];
    ++at;
  }
}

void put_text(const Field& field, const Value& value, Text& out) {
  Value text = to_str(value);
  if (field.precision >= 0 && static_cast<size_t>(field.precision) < text.as_str().length) {
    text = slice_bytes(text, 0, text.as_str().offset(static_cast<size_t>(field.precision)));
  }
  out.append(padded(text, field.width, Value::string(" "), field.right, !field.right).as_str());
}

void put_number(const Field& field, const Value& value, Text& out) {
  std::string text;
  if (field.type == 'd') {
    const Value whole = value.is(Kind::floating) ? Value::integer(int_of_double(value.as_double()))
                        : value.is(Kind::big)    ? value
                                                 : Value::integer(value.as_int64());
    text = int_digits(whole);
    if (field.precision >= 0) refuse("a precision of %d is");
  } else {
    const double number = number_to_double(value);
    const int precision = field.precision < 0 ? 6 : static_cast<int>(field.precision);
    text = std::isnan(number)   ? "nan"
           : std::isinf(number) ? (number > 0 ? "inf" : "-inf")
                                : fmt::format("{:.{}f}", number, precision);
  }
  const size_t sign = text[0] == '-' ? 1 : 0;
  if (field.zero && !field.left) {
    const Value padding =
        padded(Value::string(text.substr(sign)), field.width - static_cast<int64_t>(sign),
               Value::string("0"), true, false);
    out.literal(text.substr(0, sign));
    out.append(padding.as_str());
  } else {
    out.append(padded(Value::string(text), field.width, Value::string(" "), !field.left, field.left)
                   .as_str());
  }
}

class Percent {
 public:
  Percent(const Str& format, const Value& values) : format_(format) {
    // Whatever has keys or indices could be a mapping, of which not all need be used.
    mapping_ = values.is(Kind::dict) || values.is(Kind::list) || values.is(Kind::undefined) ||
               values.as<Range>();
    values_ = values.is(Kind::tuple) ? values.items() : std::vector<Value>{values};
  }

  Value run() {
    const std::string& text = format_.bytes;
    size_t done = 0;
    for (size_t at; (at = text.find('%', done)) != std::string::npos;) {
      out_.append(format_, done, at);
      done = at + 1;
      conversion(done);
    }
    out_.append(format_, done, text.size());
    if (!mapping_ && used_ < values_.size())
      raise("not all arguments converted during string formatting");
    return out_.finish(format_.markup);
  }

 private:
  void conversion(size_t& at) {
    const std::string& text = format_.bytes;
    const size_t begin = at - 1;
    Field field;
    for (; at < text.size() && (text[at] == '-' || text[at] == '0'); ++at) {
      field.left |= text[at] == '-';
      field.zero |= text[at] == '0';
    }
    parse_size(text, at, field);
    if (at >= text.size() && !field.type) raise("incomplete format");
    if (!field.type && text[at] == '%' && at == begin + 1) {
      ++at;
      out_.literal("%");
      return;
    }
    if (!field.type) {
      refuse(fmt::format("the format '{}' (only %s, %d and %f with a width are known) is",
                         text.substr(begin, at + char_size(text, at) - begin)));
    }
    if (used_ == values_.size()) raise("not enough arguments for format string");
    const Value& value = values_[used_++];
    if (field.type == 's') {
      field.right = !field.left;
      return put_text(field, format_.markup ? escape_html(to_str(value)) : value, out_);
    }
    if (value.is(Kind::undefined)) raise_undefined(value);
    if (!value.is_number()) {
      raise("%{} format: a real number is required, not {}", field.type, type_name(value));
    }
    put_number(field, value, out_);
  }

  const Str& format_;
  std::vector<Value> values_;
  bool mapping_ = false;
  size_t used_ = 0;
  Text out_;
};

class Braces {
 public:
  explicit Braces(const Args& args) : args_(args) {}

  Value run(const Str& format) {
    const std::string& text = format.bytes;
    for (size_t at = 0; at < text.size();) {
      const size_t next = std::min(text.find_first_of("{}", at), text.size());
      out_.append(format, at, next);
      if (next == text.size()) break;
      at = next + 1;
      if (at < text.size() && text[at] == text[next]) {
        out_.append(format, next, ++at - 1);
        continue;
      }
      if (text[next] == '}') raise("Single '}}' encountered in format string");
      const size_t end = text.find('}', at);
      if (end == std::string::npos) raise("expected '}}' before end of string");
      field(std::string_view(text).substr(at, end - at), format.markup);
      at = end + 1;
    }
    return out_.finish(format.markup);
  }

 private:
  void field(std::string_view inside, bool markup) {
    const size_t colon = std::min(inside.find(':'), inside.size());
    const std::string_view name = inside.substr(0, colon);
    std::string_view spec = inside.substr(std::min(colon + 1, inside.size()));
    if (inside.find_first_of("{![.") < colon || spec.find('{') != std::string_view::npos)
      refuse(fmt::format("the field '{{{}}}' of format() is", inside));
    const Value value = argument(name);
    Field field;
    size_t at = 0;
    const auto is = [&](char c) { return at < spec.size() && spec[at] == c; };
    if (is('<') || is('>')) (spec[at++] == '<' ? field.left : field.right) = true;
    field.zero = is('0');
    parse_size(spec, at, field);
    const bool number = value.is_number() && !value.is(Kind::boolean);
    if (!field.type) field.type = value.is_integer() ? 'd' : number ? 'r' : 's';
    if (spec.empty()) field.type = 's';
    const bool suits = field.type == 's' ? spec.empty() || value.is(Kind::string) : number;
    const bool whole = field.type != 'd' || (value.is_integer() && field.precision < 0);
    if (at < spec.size() || !suits || !whole || field.type == 'r' || (field.zero && field.right))
      refuse(fmt::format("the format '{}' of a {} is", spec, type_name(value)));
    if (field.type == 's')
      put_text(field, markup ? escape_html(to_str(value)) : value, out_);
    else
      put_number(field, value, out_);
  }

  const Value& argument(std::string_view name) {
    const bool numbered = name.find_first_not_of("0123456789") == std::string_view::npos;
    if (!numbered) {
      for (const auto& [key, given] : args_.named) {
        if (key == name) return given;
      }
      raise("{}", repr_string(name));
    }
    if (automatic_ && *automatic_ != name.empty())
      raise("cannot switch between manual field specification and automatic field numbering");
    automatic_ = name.empty();
    size_t at = 0;
    const auto index =
        name.empty() ? next_++ : static_cast<size_t>(digits(name, at, kMaxWidth, "index"));
    if (index >= args_.positional.size())
      raise("Replacement index {} out of range for positional args tuple", index);
    return args_.positional[index];
  }

  const Args& args_;
  Text out_;
  std::optional<bool> automatic_;  // are fields numbered by themselves?
  size_t next_ = 0;
};

}  // namespace

Value format_percent(const Value& text, const Value& arguments) {
  return Percent(text.as_str(), arguments).run();
}

Value format_braces(const Value& text, const Args& args) { return Braces(args).run(text.as_str()); }

}  // namespace ashlar::jinja
