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
  bool left = false, zero = false;
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
  out.append(padded(text, field.width, Value::string(" "), !field.left, field.left).as_str());
}

void put_number(const Field& field, const Value& value, Text& out) {
  std::string text;
  if (field.type == 'd') {
    text = value.is(Kind::floating) ? std::to_string(int_of_double(value.as_double()))
                                    : int_digits(value);
    if (field.precision >= 0) refuse("a precision of %d is");
  } else {
    const double number = number_to_double(value);
    const int precision = field.precision < 0 ? 6 : static_cast<int>(field.precision);
    text = std::isnan(number) ? "nan" : fmt::format("{:.{}f}", number, precision);
  }
  const size_t width = static_cast<size_t>(field.width), sign = text[0] == '-' ? 1 : 0;
  if (field.zero && !field.left && text.size() < width) text.insert(sign, width - text.size(), '0');
  put_text({.left = field.left, .width = field.width}, Value::string(text), out);
}

// What follows a percent sign before `at`.
Field parse_conversion(std::string_view text, size_t& at) {
  const size_t begin = at - 1;
  Field field;
  for (; at < text.size() && (text[at] == '-' || text[at] == '0'); ++at)
    (text[at] == '-' ? field.left : field.zero) = true;
  parse_size(text, at, field);
  if (field.type) return field;
  if (at >= text.size()) raise("incomplete format");
  refuse(fmt::format("the format '{}' (only %s, %d and %f with a width are known) is",
                     text.substr(begin, at + char_size(text, at) - begin)));
}

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
    const bool aligned = spec.starts_with('<') || spec.starts_with('>');
    size_t at = aligned ? 1 : 0;
    field.zero = spec.substr(at).starts_with('0');
    parse_size(spec, at, field);
    const bool number = value.is_number() && !value.is(Kind::boolean);
    if (!field.type) field.type = value.is_integer() ? 'd' : number ? 'r' : 's';
    if (spec.empty()) field.type = 's';
    field.left = aligned ? spec[0] == '<' : field.type == 's';
    const bool suits = field.type == 's' ? spec.empty() || value.is(Kind::string) : number;
    const bool whole = field.type != 'd' || (value.is_integer() && field.precision < 0);
    if (at < spec.size() || !suits || !whole || field.type == 'r' ||
        (field.zero && (aligned || field.type == 's')))
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

Value format_percent(const Value& format, const Value& arguments) {
  // Whatever has keys or indices could be a mapping, of which not all need be used.
  const bool mapping = arguments.is(Kind::dict) || arguments.is(Kind::list) ||
                       arguments.is(Kind::undefined) || arguments.as<Range>();
  const std::vector<Value> values =
      arguments.is(Kind::tuple) ? arguments.items() : std::vector<Value>{arguments};
  const Str& text = format.as_str();
  Text out;
  size_t done = 0, used = 0;
  for (size_t at; (at = text.bytes.find('%', done)) != std::string::npos;) {
    out.append(text, done, at);
    done = at + 1;
    if (text.bytes.compare(done, 1, "%") == 0) {
      out.literal("%");
      ++done;
      continue;
    }
    const Field field = parse_conversion(text.bytes, done);
    if (used == values.size()) raise("not enough arguments for format string");
    const Value& value = values[used++];
    if (field.type == 's') {
      put_text(field, text.markup ? escape_html(to_str(value)) : value, out);
      continue;
    }
    if (value.is(Kind::undefined)) raise_undefined(value);
    if (!value.is_number())
      raise("%{} format: a real number is required, not {}", field.type, type_name(value));
    put_number(field, value, out);
  }
  out.append(text, done, text.bytes.size());
  if (!mapping && used < values.size())
    raise("not all arguments converted during string formatting");
  return out.finish(text.markup);
}

Value format_braces(const Value& text, const Args& args) { return Braces(args).run(text.as_str()); }

}  // namespace ashlar::jinja
