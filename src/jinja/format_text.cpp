// "…" % values and "…".format(values).
#include <cmath>

#include "jinja/builtin.h"
#include "jinja/unicode.h"

namespace ashlar::jinja {
namespace {

constexpr int64_t kMaxWidth = int64_t{1} << 31;

// One conversion of a % format.
struct Conversion {
  bool left = false, plus = false, blank = false, alternate = false, zero = false;
  int64_t width = -1, precision = -1;
  char type = 0;
};

class Percent {
 public:
  Percent(const Value& format, const Value& values) : format_(format.as_str()), values_(values) {
    // Whatever has keys or indices could be a mapping.
    mapping_ = values.is(Kind::dict) || values.is(Kind::list) || values.is(Kind::undefined) ||
               values.as<Range>();
    if (!values.is(Kind::tuple)) single_ = values;
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
    if (!mapping_ && left() > 0) raise("not all arguments converted during string formatting");
    return out_.finish(format_.markup);
  }

 private:
  size_t left() const {
    if (single_) return used_ == 0 ? 1 : 0;
    return values_.items().size() - used_;
  }

  Value next() {
    if (left() == 0) raise("not enough arguments for format string");
    ++used_;
    return single_ ? *single_ : values_.items()[used_ - 1];
  }

  int64_t size(size_t& at, const char* what) {
    const std::string& text = format_.bytes;
    if (at < text.size() && text[at] == '*') {
      ++at;
      const Value value = next();
      if (!value.is_int_like()) raise("* wants int");
      return to_index(value);
    }
    int64_t out = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
      out = out * 10 + (text[at] - '0');
      if (out > kMaxWidth) raise("{} too big", what);
    }
    return out;
  }

  void conversion(size_t& at) {
    const std::string& text = format_.bytes;
    if (at < text.size() && text[at] == '%') {
      ++at;
      out_.literal("%");
      return;
    }
    Conversion c;
    std::optional<Value> keyed;
    if (at < text.size() && text[at] == '(') {
      if (!mapping_) raise("format requires a mapping");
      size_t end = at + 1;
      for (int depth = 1; end < text.size(); ++end) {
        if (text[end] == '(') ++depth;
        if (text[end] == ')' && --depth == 0) break;
      }
      if (end >= text.size()) raise("incomplete format key");
      const std::string key = text.substr(at + 1, end - at - 1);
      at = end + 1;
      keyed = lookup(key);
    }
    for (; at < text.size(); ++at) {
      const char f = text[at];
      if (f == '-')
        c.left = true;
      else if (f == '+')
        c.plus = true;
      else if (f == ' ')
        c.blank = true;
      else if (f == '#')
        c.alternate = true;
      else if (f == '0')
        c.zero = true;
      else
        break;
    }
    c.width = size(at, "width");
    if (c.width < 0) {
      c.left = true;
      c.width = -c.width;
    }
    if (at < text.size() && text[at] == '.') {
      ++at;
      c.precision = std::max<int64_t>(size(at, "precision"), 0);
    }
    while (at < text.size() && (text[at] == 'h' || text[at] == 'l' || text[at] == 'L')) ++at;
    if (at >= text.size()) raise("incomplete format");
    c.type = text[at];
    if (std::string_view("sraidoxXuceEfFgG").find(c.type) == std::string_view::npos) {
      if (!keyed) next();
      raise("unsupported format character '{}' ({:#x}) at index {}",
            text.substr(at, char_size(text, at)), char_at(text, at),
            count_chars(std::string_view(text).substr(0, at)));
    }
    ++at;
    if (keyed) {
      single_ = *keyed;
      used_ = 0;
    }
    put(c, next());
    if (keyed) single_ = values_, used_ = 1;
  }

  Value lookup(const std::string& key) const {
    if (values_.is(Kind::undefined)) raise_undefined(values_);
    if (!values_.is(Kind::dict)) raise("list indices must be integers or slices, not str");
    const Value* found = values_.as_dict().find(key);
    if (!found) raise("{}", repr_string(key));
    return *found;
  }

  void put(const Conversion& c, const Value& value) {
    switch (c.type) {
      case 's':
      case 'r':
      case 'a':
        return put_text(c, value);
      case 'c':
        return put_char(c, value);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        return put_float(c, value);
      default:
        return put_int(c, value);
    }
  }

  void put_text(const Conversion& c, const Value& value) {
    Value text;
    if (c.type == 's') {
      text = to_str(value);
    } else if (c.type == 'a' && value.is(Kind::string)) {
      text = derived_string(repr_string(value.bytes(), true), value.as_str());
    } else {
      Text shown;
      shown.append(repr(value), holds_text_of_values(value));
      text = shown.finish();
    }
    if (format_.markup) text = escape_html(text);
    const Str& in = text.as_str();
    size_t length = in.length, end = in.bytes.size();
    if (c.precision >= 0 && static_cast<size_t>(c.precision) < length) {
      length = static_cast<size_t>(c.precision);
      end = in.offset(length);
    }
    const size_t padding =
        static_cast<size_t>(c.width) > length ? static_cast<size_t>(c.width) - length : 0;
    if (!c.left) out_.repeat(" ", padding);
    out_.append(in, 0, end);
    if (c.left) out_.repeat(" ", padding);
  }

  void put_char(const Conversion& c, const Value& value) {
    std::string out;
    if (value.is(Kind::string)) {
      if (value.as_str().length != 1) raise("%c requires int or char");
      out = value.bytes();
    } else {
      if (!value.is_int_like()) raise("%c requires int or char");
      const int64_t code = to_index(value);
      if (code < 0 || code > 0x10ffff) raise("%c arg not in range(0x110000)");
      append_utf8(static_cast<uint32_t>(code), out);
    }
    const size_t padding = c.width > 1 ? static_cast<size_t>(c.width - 1) : 0;
    if (!c.left) out_.repeat(" ", padding);
    out_.append(out, value.is(Kind::string) && holds_text_of_values(value));
    if (c.left) out_.repeat(" ", padding);
  }

  void number(const Conversion& c, bool negative, const std::string& prefix,
              const std::string& digits, bool zero) {
    const std::string sign = negative ? "-" : c.plus ? "+" : c.blank ? " " : "";
    const size_t size = sign.size() + prefix.size() + digits.size();
    const size_t padding =
        static_cast<size_t>(c.width) > size ? static_cast<size_t>(c.width) - size : 0;
    if (!c.left && !zero) out_.repeat(" ", padding);
    out_.literal(sign + prefix);
    if (!c.left && zero) out_.repeat("0", padding);
    out_.literal(digits);
    if (c.left) out_.repeat(" ", padding);
  }

  void put_float(const Conversion& c, const Value& value) {
    const auto number_of = value.is(Kind::string) ? std::nullopt : to_float(value);
    if (!number_of) raise("must be real number, not {}", type_name(value));
    const double d = *number_of;
    const bool negative = std::signbit(d) && !std::isnan(d);
    const int precision =
        c.precision < 0 ? 6 : static_cast<int>(std::min<int64_t>(c.precision, INT32_MAX));
    if (c.precision > INT32_MAX - 100) raise("precision too large");
    number(c, negative, "", format_float(std::fabs(d), c.type, precision, c.alternate), c.zero);
  }

  void put_int(const Conversion& c, const Value& value) {
    Value whole = value;
    const bool based = c.type == 'x' || c.type == 'X' || c.type == 'o';
    if (value.is(Kind::undefined)) raise_undefined(value);
    if (!value.is_number() || (based && value.is(Kind::floating))) {
      raise("%{} format: {} required, not {}", c.type, based ? "an integer" : "a real number",
            type_name(value));
    }
    if (value.is(Kind::floating)) {
      if (!std::isfinite(value.as_double())) {
        raise("cannot convert float {} to integer",
              std::isnan(value.as_double()) ? "NaN" : "infinity");
      }
      whole = Value::integer(BigInt::from_double(value.as_double()));
    }
    const BigInt big = whole.as_big();
    std::string digits = !based          ? int_digits(Value::integer(big))
                         : c.type == 'o' ? big.to_string(8)
                                         : big.to_string(16);
    if (big.negative()) digits.erase(0, 1);
    if (c.type == 'X') {
      for (char& d : digits) d = static_cast<char>(d >= 'a' && d <= 'f' ? d - 32 : d);
    }
    if (c.precision > INT32_MAX - 3) raise("precision too large");
    if (c.precision > static_cast<int64_t>(digits.size())) {
      Charge charge;
      charge.take(static_cast<size_t>(c.precision));
      digits.insert(0, static_cast<size_t>(c.precision) - digits.size(), '0');
    }
    number(c, big.negative(), c.alternate && based ? std::string("0") + c.type : "", digits,
           c.zero);
  }

  const Str& format_;
  const Value values_;
  bool mapping_ = false;
  std::optional<Value> single_;  // what is formatted where it is not a tuple
  size_t used_ = 0;
  Text out_;
};

class Braces {
 public:
  Braces(Interpreter& interpreter, const Args& args, bool markup)
      : interpreter_(interpreter), args_(args), markup_(markup) {}

  Value run(const Value& format, int depth) {
    if (depth < 0) raise("Max string recursion exceeded");
    const Deeper deeper;
    const Str& in = format.as_str();
    const std::string& text = in.bytes;
    Text out;
    for (size_t at = 0; at < text.size();) {
      size_t next = at;
      while (next < text.size() && text[next] != '{' && text[next] != '}') ++next;
      out.append(in, at, next);
      if (next == text.size()) break;
      at = next + 1;
      if (at < text.size() && text[at] == text[next]) {
        out.append(in, next, next + 1);
        ++at;
        continue;
      }
      if (text[next] == '}') raise("Single '}}' encountered in format string");
      if (at >= text.size()) raise("Single '{{' encountered in format string");
      field(format, at, depth, out);
    }
    return out.finish();
  }

 private:
  void field(const Value& format, size_t& at, int depth, Text& out) {
    const std::string& text = format.bytes();
    size_t end = at, brackets = 0;
    // The field's name goes to a colon or exclamation mark outside of brackets.
    for (; end < text.size(); ++end) {
      const char c = text[end];
      if (c == '{') raise("unexpected '{{' in field name");
      if (c == '[') brackets = 1;
      if (c == ']') brackets = 0;
      if (!brackets && (c == '}' || c == ':' || c == '!')) break;
    }
    if (end >= text.size()) raise("expected '}}' before end of string");
    const std::string_view name(text.data() + at, end - at);
    char conversion = 0;
    if (text[end] == '!') {
      if (end + 1 >= text.size()) raise("end of string while looking for conversion specifier");
      const size_t size = char_size(text, end + 1);
      conversion = size == 1 ? text[end + 1] : '?';
      end += 1 + size;
      if (end >= text.size()) raise("unmatched '{{' in format spec");
      if (text[end] != ':' && text[end] != '}') raise("expected ':' after conversion specifier");
    }
    Value spec = Value::string("");
    if (text[end] == ':') {
      const size_t begin = ++end;
      for (int open = 1; end < text.size(); ++end) {
        if (text[end] == '{') ++open;
        if (text[end] == '}' && --open == 0) break;
      }
      if (end >= text.size()) raise("unmatched '{{' in format spec");
      spec = slice_bytes(format, begin, end);
    }
    at = end + 1;
    Value value = resolve(name);
    if (conversion == 'r' || conversion == 'a') {
      Text shown;
      shown.append(conversion == 'a' && value.is(Kind::string) ? repr_string(value.bytes(), true)
                                                               : repr(value),
                   holds_text_of_values(value));
      value = shown.finish();
    } else if (conversion == 's') {
      value = to_str(value);
    } else if (conversion) {
      raise("Unknown conversion specifier {}", conversion);
    }
    spec = run(spec, depth - 1);
    if (!markup_) {
      out.append(format_value(value, spec).as_str());
      return;
    }
    if (value.is(Kind::string) && value.as_str().markup) {
      if (!spec.bytes().empty()) raise("Unsupported format specification for Markup.");
      out.append(value.as_str());
    } else {
      out.append(escape_html(format_value(value, spec)).as_str());
    }
  }

  Value resolve(std::string_view name) {
    size_t end = name.find_first_of(".[");
    end = std::min(end, name.size());
    const std::string_view first = name.substr(0, end);
    Value value;
    const auto index_of = [](std::string_view text) -> std::optional<size_t> {
      size_t out = 0;
      for (const char c : text) {
        if (c < '0' || c > '9' || out > 100'000'000) return std::nullopt;
        out = out * 10 + static_cast<size_t>(c - '0');
      }
      return text.empty() ? std::nullopt : std::optional(out);
    };
    const bool whole = end == name.size();
    if (whole && (first.empty() ? numbered_ : index_of(first) && automatic_ > 0)) {
      raise("cannot switch between manual field specification and automatic field numbering");
    }
    if ((whole && first.empty()) || index_of(first)) {
      const size_t index = first.empty() ? automatic_++ : *index_of(first);
      if (whole && !first.empty()) numbered_ = true;
      if (index >= args_.positional.size()) {
        raise("Replacement index {} out of range for positional args tuple", index);
      }
      value = args_.positional[index];
    } else {
      bool found = false;
      for (const auto& [key, given] : args_.named) {
        if (key == first) value = given, found = true;
      }
      if (!found) raise("{}", repr_string(first));
    }
    while (end < name.size()) {
      if (name[end] == '.') {
        const size_t begin = end + 1;
        end = std::min(name.find_first_of(".[", begin), name.size());
        if (end == begin) raise("Empty attribute in format string");
        value = interpreter_.attribute(value, Value::string(name.substr(begin, end - begin)));
      } else if (name[end] == '[') {
        const size_t begin = end + 1;
        end = name.find(']', begin);
        if (end == std::string_view::npos) raise("Missing ']' in format string");
        const std::string_view key = name.substr(begin, end - begin);
        if (key.empty()) raise("Empty attribute in format string");
        const auto index = index_of(key);
        value = interpreter_.item(
            value, index ? Value::integer(static_cast<int64_t>(*index)) : Value::string(key));
        ++end;
      } else {
        raise("Only '.' or '[' may follow ']' in format field specifier");
      }
    }
    return value;
  }

  Interpreter& interpreter_;
  const Args& args_;
  bool markup_;
  size_t automatic_ = 0;
  bool numbered_ = false;
};

}  // namespace

Value format_percent(const Value& text, const Value& arguments) {
  return Percent(text, arguments).run();
}

Value format_braces(Interpreter& interpreter, const Value& text, const Args& args) {
  const bool markup = text.as_str().markup;
  return with_markup(Braces(interpreter, args, markup).run(text, 2), markup);
}

}  // namespace ashlar::jinja
