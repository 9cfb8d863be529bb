// Binding of arguments, numbers from text, rounding, sorting.
#include "jinja/builtin.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/character_runs.h"
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

// The number that a text is, white space around it aside: in digits of any script, single
// underscores between them.
template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  text.remove_prefix(utf8::end_of_run(text, 0, is_space));
  text = text.substr(0, utf8::begin_of_run(text, 0, text.size(), is_space));
  std::string number;
  for (size_t at = 0; at < text.size(); at += char_size(text, at)) {
    const int digit = digit_value(char_at(text, at));
    number += digit < 0 ? text[at] : static_cast<char>('0' + digit);
  }
  const auto is_digit_at = [&](size_t i) { return number[i] >= '0' && number[i] <= '9'; };
  for (size_t i = 0; i < number.size(); ++i) {
    if (number[i] == '_' && (i == 0 || !is_digit_at(i - 1) || !is_digit_at(i + 1)))
      return std::nullopt;
  }
  std::erase(number, '_');
  if (number.starts_with("+-")) return std::nullopt;
  if (number.starts_with('+')) number.erase(0, 1);
  Number value{};
  const char* const end = number.data() + number.size();
  const auto [at, error] = std::from_chars(number.data(), end, value);
  // It knows nan(...).
  if (at != end || error == std::errc::invalid_argument || number.ends_with(')'))
    return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    if constexpr (std::is_integral_v<Number>) refuse(kBeyond64Bits);
    value = static_cast<Number>(std::strtod(number.c_str(), nullptr));
  }
  return value;
}

}  // namespace

std::optional<double> parse_float(std::string_view text) { return parse_number<double>(text); }
std::optional<int64_t> parse_int(std::string_view text) { return parse_number<int64_t>(text); }

double number_to_double(const Value& number) {
  if (number.is(Kind::floating)) return number.as_double();
  return static_cast<double>(to_int64(number));
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
    if (!part.empty() && utf8::end_of_run(part, 0, is_digit) == part.size()) {
      const auto index = parse_int(part);
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
