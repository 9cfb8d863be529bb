// Arithmetic and slices as Python has them, within 64 bits.
#include <cmath>

#include "jinja/builtin.h"
#include "jinja/unicode.h"

namespace ashlar::jinja {
namespace {

// What errors call the operators from Op::add on.
constexpr const char* kSymbols[] = {"+", "-", "*", "/", "//", "%", "** or pow()"};

// Python's // and % of floats: the quotient rounded down, the remainder with the divisor's sign.
double float_divide(Op op, double a, double b) {
  double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder == 0) {
    remainder = std::copysign(0.0, b);
  } else if ((b < 0) != (remainder < 0)) {
    remainder += b;
    quotient -= 1;
  }
  if (op == Op::modulo) return remainder;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double down = std::floor(quotient);
  return quotient - down > 0.5 ? down + 1 : down;
}

double float_power(double a, double b) {
  if (a == 0 && b < 0) raise("0.0 cannot be raised to a negative power");
  if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b)) {
    refuse("complex numbers are");
  }
  const double out = std::pow(a, b);
  if (std::isinf(out) && std::isfinite(a) && std::isfinite(b))
    raise("(34, 'Numerical result out of range')");
  return out;
}

double float_arithmetic(Op op, double a, double b) {
  switch (op) {
    case Op::add:
      return a + b;
    case Op::subtract:
      return a - b;
    case Op::multiply:
      return a * b;
    case Op::power:
      return float_power(a, b);
    default:
      break;
  }
  if (b == 0) {
    raise("{}", op == Op::divide         ? "float division by zero"
                : op == Op::floor_divide ? "float floor division by zero"
                                         : "float modulo");
  }
  return op == Op::divide ? a / b : float_divide(op, a, b);
}

int64_t int_power(int64_t base, int64_t exponent) {
  int64_t out = 1;
  for (;;) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(out, base, &out)) refuse(kBeyond64Bits);
    exponent >>= 1;
    if (exponent == 0) return out;
    if (__builtin_mul_overflow(base, base, &base)) refuse(kBeyond64Bits);
  }
}

Value int_arithmetic(Op op, int64_t a, int64_t b) {
  int64_t out = 0;
  bool overflows = false;
  switch (op) {
    case Op::add:
      overflows = __builtin_add_overflow(a, b, &out);
      break;
    case Op::subtract:
      overflows = __builtin_sub_overflow(a, b, &out);
      break;
    case Op::multiply:
      overflows = __builtin_mul_overflow(a, b, &out);
      break;
    case Op::power:
      if (b < 0)
        return Value::floating(float_power(static_cast<double>(a), static_cast<double>(b)));
      out = int_power(a, b);
      break;
    default: {
      if (b == 0) {
        raise("{}", op == Op::divide   ? "division by zero"
                    : op == Op::modulo ? "integer modulo by zero"
                                       : "integer division or modulo by zero");
      }
      if (op == Op::divide) {
        return Value::floating(
            static_cast<double>(static_cast<long double>(a) / static_cast<long double>(b)));
      }
      if (op == Op::modulo && b == -1) return Value::integer(0);
      overflows = a == INT64_MIN && b == -1;
      if (overflows) break;
      const int64_t remainder = a % b;
      const bool down = remainder != 0 && (remainder < 0) != (b < 0);
      out = op == Op::modulo ? remainder + (down ? b : 0) : a / b - (down ? 1 : 0);
    }
  }
  if (overflows) refuse(kBeyond64Bits);
  return Value::integer(out);
}

Value repeated(const Value& sequence, const Value& count) {
  const int64_t n = std::max<int64_t>(to_index(count), 0);
  if (sequence.is(Kind::string)) return repeat_string(sequence, n);
  const auto& items = sequence.items();
  std::vector<Value> out;
  Charge charge;
  charge.take_many(items.size() * sizeof(Value), static_cast<uint64_t>(n));
  out.reserve(items.size() * static_cast<size_t>(n));
  if (!items.empty()) {
    for (int64_t i = 0; i < n; ++i) out.insert(out.end(), items.begin(), items.end());
  }
  return Value::like(sequence, std::move(out));
}

Value joined(const Value& a, const Value& b) {
  Charge charge;
  charge.take((a.items().size() + b.items().size()) * sizeof(Value));
  std::vector<Value> out = a.items();
  out.insert(out.end(), b.items().begin(), b.items().end());
  return Value::like(a, std::move(out));
}

bool repeats(const Value& value) { return value.is(Kind::string) || value.is_sequence(); }

}  // namespace

Value arithmetic(Op op, const Value& a, const Value& b) {
  if (op == Op::modulo && a.is(Kind::string)) return format_percent(a, b);
  if (a.is(Kind::undefined)) raise_undefined(a);
  if (b.is(Kind::undefined)) raise_undefined(b);
  if (a.is_number() && b.is_number()) {
    if (a.is(Kind::floating) || b.is(Kind::floating))
      return Value::floating(float_arithmetic(op, number_to_double(a), number_to_double(b)));
    return int_arithmetic(op, to_int64(a), to_int64(b));
  }
  if (op == Op::add) {
    if (a.is(Kind::string) && b.is(Kind::string)) return concatenate(a, b);
    if (a.is_sequence() && a.kind() == b.kind()) return joined(a, b);
    if (repeats(a)) {
      raise("can only concatenate {0} (not \"{1}\") to {0}", type_name(a), type_name(b));
    }
  }
  if (op == Op::multiply) {
    if (repeats(a) && b.is_int_like()) return repeated(a, b);
    if (repeats(b) && a.is_int_like()) return repeated(b, a);
    if (repeats(a)) raise("can't multiply sequence by non-int of type '{}'", type_name(b));
    if (repeats(b)) raise("can't multiply sequence by non-int of type '{}'", type_name(a));
  }
  if (a.as<DictView>() && b.as<DictView>() && op == Op::subtract) refuse("sets are");
  raise("unsupported operand type(s) for {}: '{}' and '{}'",
        kSymbols[static_cast<size_t>(op) - static_cast<size_t>(Op::add)], type_name(a),
        type_name(b));
}

Value signed_number(Op sign, const Value& value) {
  if (value.is(Kind::undefined)) raise_undefined(value);
  if (!value.is_number()) {
    raise("bad operand type for unary {}: '{}'", sign == Op::negate ? '-' : '+', type_name(value));
  }
  if (sign == Op::plus) return value.is(Kind::boolean) ? Value::integer(value.as_int64()) : value;
  if (value.is(Kind::floating)) return Value::floating(-value.as_double());
  return int_arithmetic(Op::subtract, 0, to_int64(value));
}

Value slice(Interpreter& interpreter, const Value& value, const Value& start, const Value& stop,
            const Value& step) {
  if (value.is(Kind::undefined)) raise_undefined(value);
  const auto* range = value.as<Range>();
  if (value.is(Kind::dict)) raise("unhashable type: 'slice'");
  if (!repeats(value) && !range) raise("'{}' object is not subscriptable", type_name(value));
  // A bound that does not fit 64 bits is as good as their limits.
  const auto bound = [](const Value& given) {
    if (!given.is_int_like() && !given.is(Kind::undefined))
      raise("slice indices must be integers or None or have an __index__ method");
    return to_index(given);
  };
  const auto size = static_cast<int64_t>(length(value));
  const int64_t by = step.is(Kind::none) ? 1 : std::max(bound(step), -INT64_MAX);
  if (by == 0) raise("slice step cannot be zero");
  const auto place = [&](const Value& given, int64_t otherwise) {
    if (given.is(Kind::none)) return otherwise;
    int64_t at = bound(given);
    if (at < 0) at = at < -size ? -1 : at + size;
    if (at < 0) return by < 0 ? int64_t{-1} : int64_t{0};
    return std::min(at, by < 0 ? size - 1 : size);
  };
  const int64_t from = place(start, by < 0 ? size - 1 : 0);
  const int64_t to = place(stop, by < 0 ? -1 : size);
  const int64_t distance = by > 0 ? to - from : from - to;
  const int64_t count = distance <= 0 ? 0 : (distance - 1) / (by > 0 ? by : -by) + 1;
  if (range) {
    auto* out = interpreter.make<Range>();
    if (__builtin_mul_overflow(range->step, by, &out->step)) out->step = range->step;
    out->start = range->start + from * range->step;
    out->stop = range->start + to * range->step;
    out->length = count;
    return Value::object(out);
  }
  if (value.is(Kind::string)) {
    const Str& text = value.as_str();
    if (by == 1) {
      if (count == 0) return slice_bytes(value, 0, 0);
      const size_t begin = text.offset(static_cast<size_t>(from));
      return slice_bytes(value, begin, text.offset(static_cast<size_t>(to)));
    }
    std::vector<size_t> offsets;  // of characters
    Charge charge;
    charge.take_many(sizeof(size_t), count == 0 ? 0 : text.length + 1);
    for (size_t at = 0; count > 0 && at < text.bytes.size(); at += char_size(text.bytes, at))
      offsets.push_back(at);
    offsets.push_back(text.bytes.size());
    Text out;
    for (int64_t i = 0; i < count; ++i) {
      const auto at = static_cast<size_t>(from + i * by);
      out.append(text, offsets[at], offsets[at + 1]);
    }
    return out.finish(text.markup);
  }
  std::vector<Value> out;
  Budget::current()->step(static_cast<uint64_t>(count));
  for (int64_t i = 0; i < count; ++i)
    out.push_back(value.items()[static_cast<size_t>(from + i * by)]);
  return Value::like(value, std::move(out));
}

}  // namespace ashlar::jinja
