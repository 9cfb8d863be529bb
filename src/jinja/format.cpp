// Python's format specifications: format(value, "…"), {:…} and how floats are written.
#include <cmath>

#include "jinja/builtin.h"
#include "jinja/unicode.h"

namespace ashlar::jinja {
namespace {

struct Spec {
  std::string fill = " ";
  char align = 0;
  char sign = '-';
  bool zero_negative = false, alternate = false;
  int64_t width = -1, precision = -1;
  char grouping = 0;
  uint32_t type = 0;
};

constexpr int64_t kMaxWidth = int64_t{1} << 31;

int64_t digits(std::string_view text, size_t& at) {
  int64_t out = -1;
  while (at < text.size()) {
    const int digit = digit_value(char_at(text, at));
    if (digit < 0) break;
    out = (out < 0 ? 0 : out) * 10 + digit;
    if (out > kMaxWidth) raise("Too many decimal digits in format string");
    at += char_size(text, at);
  }
  return out;
}

bool is_align(char c) { return c == '<' || c == '>' || c == '=' || c == '^'; }

Spec parse_spec(std::string_view text, char default_align) {
  Spec out;
  out.align = default_align;
  size_t at = 0;
  bool fill_given = false, align_given = false;
  const auto is = [&](char c) { return at < text.size() && text[at] == c; };
  if (!text.empty()) {
    const size_t after = char_size(text, 0);
    if (after < text.size() && is_align(text[after])) {
      out.fill = std::string(text.substr(0, after));
      out.align = text[after];
      at = after + 1;
      fill_given = align_given = true;
    } else if (is_align(text[0])) {
      out.align = text[0];
      at = 1;
      align_given = true;
    }
  }
  if (is('+') || is('-') || is(' ')) out.sign = text[at++];
  if (is('z')) out.zero_negative = true, ++at;
  if (is('#')) out.alternate = true, ++at;
  if (!fill_given && is('0')) {
    out.fill = "0";
    if (!align_given && default_align == '>') out.align = '=';
    ++at;
  }
  out.width = digits(text, at);
  if (is(',')) out.grouping = text[at++];
  if (is('_')) {
    if (out.grouping) raise("Cannot specify both ',' and '_'.");
    out.grouping = text[at++];
  }
  if (is(','))
    raise("Cannot specify {}", out.grouping == '_' ? "both ',' and '_'." : "',' with ','.");
  if (is('.')) {
    ++at;
    out.precision = digits(text, at);
    if (out.precision < 0) raise("Format specifier missing precision");
  }
  if (at < text.size()) {
    out.type = char_at(text, at);
    at += char_size(text, at);
  }
  if (at < text.size()) raise("Invalid format specifier");
  return out;
}

[[noreturn]] void unknown_type(const Spec& spec, const Value& value) {
  std::string shown;
  append_utf8(spec.type, shown);
  raise("Unknown format code '{}' for object of type '{}'", shown, type_name(value));
}

// `text` in `width` characters.
std::string pad(const std::string& text, const Spec& spec, size_t sign_size) {
  const auto size = static_cast<int64_t>(count_chars(text));
  if (spec.width <= size) return text;
  const auto missing = static_cast<size_t>(spec.width - size);
  const size_t left = spec.align == '<' ? 0 : spec.align == '^' ? missing / 2 : missing;
  Charge charge;
  charge.take(missing * spec.fill.size());
  const auto fill = [&](size_t count) {
    std::string out;
    for (size_t i = 0; i < count; ++i) out += spec.fill;
    return out;
  };
  if (spec.align == '=') return text.substr(0, sign_size) + fill(missing) + text.substr(sign_size);
  return fill(left) + text + fill(missing - left);
}

// Digits with a separator before every `every` of them from the right; zeros in front up to `width`
// characters.
std::string group(std::string digits, char separator, size_t every, int64_t width) {
  const auto with = [&](size_t count) { return count + (count - 1) / every; };
  while (width > 0 && static_cast<int64_t>(with(digits.size())) < width) {
    Budget::current()->step();
    digits.insert(0, "0");
  }
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % every == 0) out += separator;
    out += digits[i];
  }
  return out;
}

// Sign, prefix, grouped digits and the rest of a number.
std::string number(const Spec& spec, bool negative, const std::string& prefix, std::string whole,
                   const std::string& rest, size_t every) {
  const std::string sign = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  if (spec.grouping) {
    int64_t width = 0;
    if (spec.fill == "0" && spec.align == '=') {
      width = std::min<int64_t>(spec.width, 1 << 20) -
              static_cast<int64_t>(sign.size() + prefix.size() + rest.size());
    }
    whole = group(std::move(whole), spec.grouping, every, width);
  }
  return pad(sign + prefix + whole + rest, spec, sign.size() + prefix.size());
}

std::string format_string(const Str& text, const Spec& spec) {
  if (spec.type && spec.type != 's') unknown_type(spec, Value::string(text.bytes));
  if (spec.sign != '-') raise("Sign not allowed in string format specifier");
  if (spec.alternate) raise("Alternate form (#) not allowed in string format specifier");
  if (spec.zero_negative)
    raise("Negative zero coercion (z) not allowed in string format specifier");
  if (spec.align == '=') raise("'=' alignment not allowed in string format specifier");
  if (spec.grouping) raise("Cannot specify '{}' with 's'.", spec.grouping);
  std::string out = text.bytes;
  if (spec.precision >= 0 && spec.precision < static_cast<int64_t>(text.length)) {
    out.resize(text.offset(static_cast<size_t>(spec.precision)));
  }
  return pad(out, spec, 0);
}

std::string format_int(const Value& value, const Spec& spec) {
  if (spec.precision >= 0) raise("Precision not allowed in integer format specifier");
  if (spec.zero_negative)
    raise("Negative zero coercion (z) not allowed in format specifier with integer");
  const BigInt big = value.as_big();
  if (spec.type == 'c') {
    if (spec.sign != '-') raise("Sign not allowed with integer format specifier 'c'");
    if (spec.alternate) raise("Alternate form (#) not allowed with integer format specifier 'c'");
    if (spec.grouping) raise("Cannot specify '{}' with 'c'.", spec.grouping);
    const auto code = big.small();
    if (!code || *code < 0 || *code > 0x10ffff) raise("%c arg not in range(0x110000)");
    std::string out;
    append_utf8(static_cast<uint32_t>(*code), out);
    return pad(out, spec, 0);
  }
  const int base = spec.type == 'x' || spec.type == 'X' ? 16
                   : spec.type == 'o'                   ? 8
                   : spec.type == 'b'                   ? 2
                                                        : 10;
  if (spec.grouping == ',' && base != 10)
    raise("Cannot specify ',' with '{}'.", static_cast<char>(spec.type));
  if (spec.grouping && spec.type == 'n') raise("Cannot specify '{}' with 'n'.", spec.grouping);
  std::string text = base == 10 ? int_digits(Value::integer(big)) : big.to_string(base);
  if (big.negative()) text.erase(0, 1);
  std::string prefix;
  if (spec.alternate && base != 10) prefix = std::string("0") + static_cast<char>(spec.type);
  if (spec.type == 'X') {
    for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'f' ? c - 32 : c);
  }
  return number(spec, big.negative(), prefix, std::move(text), "", base == 10 ? 3 : 4);
}

std::string format_double(double value, const Spec& spec) {
  char type = spec.type ? static_cast<char>(spec.type) : 'r';
  int64_t precision = spec.precision;
  if (precision > INT32_MAX - 100) raise("precision too big");
  if (spec.grouping && type == 'n') raise("Cannot specify '{}' with 'n'.", spec.grouping);
  std::string suffix;
  if (type == '%') {
    value *= 100;
    suffix = "%";
    type = 'f';
  }
  if (type == 'n') type = 'g';
  bool negative = std::signbit(value) && !std::isnan(value);
  std::string text;
  if (!std::isfinite(value)) {
    text = std::isnan(value) ? "nan" : "inf";
    if (type == 'E' || type == 'F' || type == 'G') text = std::isnan(value) ? "NAN" : "INF";
  } else if (type == 'r') {
    // As repr, or with a precision as 'g' that keeps one digit after the point.
    if (precision < 0) {
      text = repr_float(std::fabs(value));
    } else {
      text = format_float(std::fabs(value), 'r', static_cast<int>(precision), spec.alternate);
    }
  } else {
    text = format_float(std::fabs(value), type, precision < 0 ? 6 : static_cast<int>(precision),
                        spec.alternate);
  }
  if (spec.zero_negative && text.find_first_of("123456789") == std::string::npos &&
      std::isfinite(value))
    negative = false;
  size_t split = text.find_first_not_of("0123456789");
  if (split == std::string::npos) split = text.size();
  if (!std::isfinite(value))
    return pad((negative           ? "-"
                : spec.sign == '-' ? ""
                                   : std::string(1, spec.sign)) +
                   text + suffix,
               spec, negative || spec.sign != '-' ? 1 : 0);
  return number(spec, negative, "", text.substr(0, split), text.substr(split) + suffix, 3);
}

}  // namespace

std::string format_float(double value, char type, int precision, bool alternate) {
  const char lower = static_cast<char>(type | 0x20);
  Charge charge;
  charge.take(static_cast<size_t>(std::max(precision, 0)) + 400);
  std::string out;
  if (!std::isfinite(value)) {
    out = std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
  } else if (lower == 'f') {
    out = fmt::format("{:.{}f}", value, precision);
    if (alternate && precision == 0) out += '.';
  } else if (lower == 'e') {
    out = fmt::format("{:.{}e}", value, precision);
    if (alternate && precision == 0) out.insert(out.find('e'), ".");
  } else {
    // 'g', and 'r': what format() does without a type, where a whole number shows one digit after
    // the point and the exponent begins one digit earlier.
    const int significant = std::max(precision, 1);
    std::string exact = fmt::format("{:.{}e}", value, significant - 1);
    const size_t e = exact.find('e');
    const int exponent = std::stoi(exact.substr(e + 1));
    const bool scientific =
        exponent < -4 ||
        exponent >= (lower == 'r' ? significant - 1 + (significant == 0) : significant);
    if (scientific) {
      std::string mantissa = exact.substr(0, e);
      if (!alternate && mantissa.find('.') != std::string::npos) {
        mantissa.erase(mantissa.find_last_not_of('0') + 1);
        if (mantissa.back() == '.') mantissa.pop_back();
      } else if (alternate && mantissa.find('.') == std::string::npos) {
        mantissa += '.';
      }
      out = mantissa + exact.substr(e);
    } else {
      out = fmt::format("{:.{}f}", value, std::max(significant - 1 - exponent, 0));
      if (!alternate && out.find('.') != std::string::npos) {
        out.erase(out.find_last_not_of('0') + 1);
        if (out.back() == '.') out.pop_back();
      }
      if (alternate && out.find('.') == std::string::npos) out += '.';
      if (lower == 'r' && out.find('.') == std::string::npos) out += ".0";
    }
  }
  if (type >= 'A' && type <= 'Z') {
    for (char& c : out) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  }
  return out;
}

Value format_value(const Value& value, const Value& spec_text) {
  const std::string& text = spec_text.bytes();
  if (value.is(Kind::string)) {
    if (text.empty()) return with_markup(value, false);
    return derived_string(format_string(value.as_str(), parse_spec(text, '<')), value.as_str());
  }
  if (text.empty()) return to_str(value);
  if (!value.is_number()) {
    raise("unsupported format string passed to {}.__format__", type_name(value));
  }
  const Spec spec = parse_spec(text, '>');
  const bool integral = !value.is(Kind::floating);
  if (integral) {
    switch (spec.type) {
      case 0:
        // A bool without a type is formatted as an int as well.
      case 'b':
      case 'c':
      case 'd':
      case 'o':
      case 'x':
      case 'X':
      case 'n':
        return Value::string(format_int(value, spec));
      default:
        break;
    }
  }
  switch (spec.type) {
    case 0:
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
    case 'n':
    case '%':
      return Value::string(format_double(number_to_double(value), spec));
    default:
      unknown_type(spec, value);
  }
}

}  // namespace ashlar::jinja
