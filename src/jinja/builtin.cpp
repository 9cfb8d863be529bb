// Binding of arguments, numbers from text, rounding, sorting.
#include "jinja/builtin.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "jinja/unicode.h"

namespace ashlar::jinja {

Bound::Bound(std::string_view function, const Args& args, std::initializer_list<const char*> names,
             size_t required)
    : function_(function), values_(names.size()) {
  if (args.positional.size() > names.size()) {
    raise("{}() takes at most {} arguments ({} given)", function, names.size(),
          args.positional.size());
  }
  std::copy(args.positional.begin(), args.positional.end(), values_.begin());
  for (const auto& [name, value] : args.named) {
    const auto* found =
        name.empty() ? names.end() : std::find(names.begin(), names.end(), std::string_view(name));
    if (found == names.end()) raise("{}() got an unexpected keyword argument '{}'", function, name);
    auto& slot = values_[static_cast<size_t>(found - names.begin())];
    if (slot) raise("{}() got multiple values for argument '{}'", function, name);
    slot = value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (!values_[i]) raise("{}() misses its required argument {}", function, i + 1);
  }
}

int64_t Bound::integer(size_t i, int64_t otherwise) const {
  return values_[i] ? to_index(*values_[i]) : otherwise;
}

const Str& Bound::text(size_t i) const {
  const Value& value = *values_[i];
  if (value.is(Kind::undefined)) raise_undefined(value);
  if (!value.is(Kind::string))
    raise("{}() argument {} must be str, not {}", function_, i + 1, type_name(value));
  return value.as_str();
}

void no_arguments(std::string_view function, const Args& args) { Bound(function, args, {}); }

int64_t to_index(const Value& value) {
  if (value.is(Kind::undefined)) raise_undefined(value);
  if (!value.is_int_like())
    raise("'{}' object cannot be interpreted as an integer", type_name(value));
  if (!value.is(Kind::big)) return value.as_int64();
  return value.as_digits()[0] == '-' ? INT64_MIN : INT64_MAX;
}

int64_t to_int64(const Value& value) {
  if (value.is(Kind::big)) refuse(kBeyond64Bits);
  return value.as_int64();
}

int64_t int_of_double(double value) {
  if (!std::isfinite(value))
    raise("cannot convert float {} to integer", std::isnan(value) ? "NaN" : "infinity");
  constexpr double kLimit = 9223372036854775808.0;
  if (value >= kLimit || value < -kLimit) refuse(kBeyond64Bits);
  return static_cast<int64_t>(value);
}

namespace {

// The text without white space around it, its digits those of ASCII, without the underscores that
// stand between characters which `may_be_beside` one. Nothing where a number cannot be spelled so.
std::optional<std::string> plain_number(std::string_view text, int (*may_be_beside)(int)) {
  std::string out;
  for (size_t at = 0; at < text.size(); at += char_size(text, at)) {
    const uint32_t c = char_at(text, at);
    if (is_space(c))
      out += ' ';
    else if (c < 0x80)
      out += static_cast<char>(c);
    else if (const int digit = digit_value(c); digit >= 0)
      out += static_cast<char>('0' + digit);
    else
      return std::nullopt;
  }
  out.erase(0, out.find_first_not_of(' '));
  out.erase(out.find_last_not_of(' ') + 1);
  for (size_t i = 0; i < out.size(); ++i) {
    if (out[i] != '_') continue;
    if (i == 0 || i + 1 == out.size() || !may_be_beside(out[i - 1]) || !may_be_beside(out[i + 1]))
      return std::nullopt;
  }
  std::erase(out, '_');
  return out;
}

// Takes the sign off a number: is it negative?
bool take_sign(std::string_view& number) {
  const bool negative = number.starts_with('-');
  if (negative || number.starts_with('+')) number.remove_prefix(1);
  return negative;
}

}  // namespace

std::optional<double> parse_float(std::string_view text) {
  const auto plain = plain_number(text, std::isdigit);
  if (!plain) return std::nullopt;
  std::string_view rest = *plain;
  const bool negative = take_sign(rest);
  // from_chars knows a second sign, and nan(...).
  if (rest.starts_with('-') || rest.find('(') != std::string_view::npos) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (end != rest.data() + rest.size() || error == std::errc::invalid_argument) return std::nullopt;
  if (error == std::errc::result_out_of_range)
    value = std::strtod(std::string(rest).c_str(), nullptr);
  return negative ? -value : value;
}

std::optional<int64_t> parse_int(std::string_view text, int base) {
  if (base != 0 && (base < 2 || base > 36)) return std::nullopt;
  const auto plain = plain_number(text, std::isalnum);
  if (!plain) return std::nullopt;
  std::string_view rest = *plain;
  const bool negative = take_sign(rest);
  if (rest.size() > 1 && rest[0] == '0') {
    const char mark = static_cast<char>(rest[1] | 0x20);
    const int marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    if (marked != 0 && (base == 0 || base == marked)) {
      base = marked;
      rest.remove_prefix(2);
    } else if (base == 0 && rest.find_first_not_of('0') != std::string_view::npos) {
      return std::nullopt;
    }
  }
  if (base == 0) base = 10;
  if (rest.empty() || rest[0] == '-') return std::nullopt;
  int64_t value = 0;
  const std::string digits = (negative ? "-" : "") + std::string(rest);
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (end != digits.data() + digits.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) refuse(kBeyond64Bits);
  return value;
}

double number_to_double(const Value& number) {
  if (number.is(Kind::floating)) return number.as_double();
  return static_cast<double>(to_int64(number));
}

std::optional<double> to_float(const Value& value) {
  if (value.is(Kind::undefined)) raise_undefined(value);
  if (value.is_number()) return number_to_double(value);
  return value.is(Kind::string) ? parse_float(value.bytes()) : std::nullopt;
}

namespace {

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

}  // namespace

Value round_number(const Value& number, const Value& digits, bool has_digits) {
  if (!number.is_number()) raise("type {} doesn't define __round__ method", type_name(number));
  const bool whole = !has_digits || digits.is(Kind::none);
  const int64_t places = whole ? 0 : to_index(digits);
  if (!number.is(Kind::floating)) {
    if (places >= 0) return Value::integer(to_int64(number));
    return Value::integer(round_int(to_int64(number), -std::max<int64_t>(places, -100)));
  }
  const double value = number.as_double();
  if (!whole) return Value::floating(round_double(value, places));
  return Value::integer(int_of_double(std::nearbyint(value)));
}

std::vector<Value> sorted(std::vector<Value> items, const std::function<Value(const Value&)>& key,
                          bool reverse) {
  struct Keyed {
    Value key, item;
  };
  std::vector<Keyed> keyed;
  Charge charge;
  charge.take(items.size() * sizeof(Keyed));
  for (auto& item : items) {
    Value its_key = key(item);
    keyed.push_back({std::move(its_key), std::move(item)});
  }
  if (reverse) std::reverse(keyed.begin(), keyed.end());
  std::stable_sort(keyed.begin(), keyed.end(),
                   [](const Keyed& a, const Keyed& b) { return less(a.key, b.key); });
  if (reverse) std::reverse(keyed.begin(), keyed.end());
  for (size_t i = 0; i < items.size(); ++i) items[i] = std::move(keyed[i].item);
  return items;
}

Value ignore_case(const Value& value) {
  return value.is(Kind::string) ? map_case(value, 'l') : value;
}

Value attribute_path(Interpreter& interpreter, const Value& item, const Value& path,
                     const Value* otherwise) {
  if (path.is(Kind::none)) return item;
  Value out = item;
  const auto step = [&](const Value& key) {
    out = interpreter.item(out, key);
    if (otherwise && out.is(Kind::undefined)) out = *otherwise;
  };
  if (!path.is(Kind::string)) {
    step(path);
    return out;
  }
  const std::string& text = path.bytes();
  for (size_t begin = 0;;) {
    const size_t end = std::min(text.find('.', begin), text.size());
    const std::string_view part(text.data() + begin, end - begin);
    bool digits = !part.empty();
    for (size_t at = 0; at < part.size(); at += char_size(part, at))
      digits &= is_digit(char_at(part, at));
    if (digits) {
      const auto index = parse_int(part, 10);
      if (!index) raise("invalid literal for int() with base 10: {}", repr_string(part));
      step(Value::integer(*index));
    } else {
      step(Value::string(part));
    }
    if (end == text.size()) return out;
    begin = end + 1;
  }
}

}  // namespace ashlar::jinja
