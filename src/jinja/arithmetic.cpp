// Arithmetic and slices as Python has them.
#include <cmath>

#include "jinja/interpreter.h"
#include "jinja/unicode.h"

namespace ashlar::jinja {
namespace {

constexpr size_t kMaxBits = size_t{1} << 20;

const char* symbol(Op op) {
  switch (op) {
    case Op::add:
      return "+";
    case Op::subtract:
      return "-";
    case Op::multiply:
      return "*";
    case Op::divide:
      return "/";
    case Op::floor_divide:
      return "//";
    case Op::modulo:
      return "%";
    default:
      return "** or pow()";
  }
}

[[noreturn]] void unsupported(Op op, const Value& a, const Value& b) {
  raise("unsupported operand type(s) for {}: '{}' and '{}'", symbol(op), type_name(a),
        type_name(b));
}

double to_float(const Value& value) {
  if (value.is(Kind::floating)) return value.as_double();
  if (!value.is(Kind::big)) return static_cast<double>(value.as_int64());
  const double out = value.as_big().to_double();
  if (std::isinf(out)) raise("int too large to convert to float");
  return out;
}

// Python's float division: the quotient rounded down and the remainder with the divisor's sign.
void float_divide(double a, double b, double& quotient, double& remainder) {
  remainder = std::fmod(a, b);
  double div = (a - remainder) / b;
  if (remainder != 0) {
    if ((b < 0) != (remainder < 0)) {
      remainder += b;
      div -= 1;
    }
  } else {
    remainder = std::copysign(0.0, b);
  }
  if (div != 0) {
    quotient = std::floor(div);
    if (div - quotient > 0.5) quotient += 1;
  } else {
    quotient = std::copysign(0.0, a / b);
  }
}

Value float_power(double a, double b) {
  if (a == 0 && b < 0) raise("0.0 cannot be raised to a negative power");
  if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b)) {
    throw Failure{"complex numbers are not supported", ErrorKind::unsupported};
  }
  const double out = std::pow(a, b);
  if (std::isinf(out) && std::isfinite(a) && std::isfinite(b))
    raise("(34, 'Numerical result out of range')");
  return Value::floating(out);
}

Value float_arithmetic(Op op, double a, double b) {
  double quotient, remainder;
  switch (op) {
    case Op::add:
      return Value::floating(a + b);
    case Op::subtract:
      return Value::floating(a - b);
    case Op::multiply:
      return Value::floating(a * b);
    case Op::divide:
      if (b == 0) raise("float division by zero");
      return Value::floating(a / b);
    case Op::floor_divide:
      if (b == 0) raise("float floor division by zero");
      float_divide(a, b, quotient, remainder);
      return Value::floating(quotient);
    case Op::modulo:
      if (b == 0) raise("float modulo");
      float_divide(a, b, quotient, remainder);
      return Value::floating(remainder);
    default:
      return float_power(a, b);
  }
}

Value int_power(const BigInt& base, const BigInt& exponent) {
  if (exponent.negative()) {
    if (base.zero()) raise("0.0 cannot be raised to a negative power");
    return float_power(to_float(Value::integer(base)), to_float(Value::integer(exponent)));
  }
  const auto small = base.small();
  const bool unit = small && (*small == 0 || *small == 1 || *small == -1);
  const auto count = exponent.small();
  if (!unit && (!count || static_cast<size_t>(*count) > kMaxBits / base.bits() + 1)) {
    throw Failure{"an integer of more than 2^20 bits", ErrorKind::resource};
  }
  if (unit) {
    if (exponent.zero()) return Value::integer(1);
    return Value::integer(*small == -1 && exponent.low_bits() % 2 == 0 ? 1 : *small);
  }
  BigInt out(1), square = base;
  for (auto rest = static_cast<uint64_t>(*count); rest > 0; rest >>= 1) {
    if (rest & 1) {
      Budget::current()->step(out.bits() / 64 * square.bits() / 64 + 1);
      out = out * square;
    }
    if (rest > 1) {
      Budget::current()->step(square.bits() / 64 * square.bits() / 64 + 1);
      square = square * square;
    }
  }
  return Value::integer(out);
}

Value big_arithmetic(Op op, const BigInt& a, const BigInt& b) {
  Budget::current()->step(1 + a.bits() / 64);
  BigInt quotient, remainder;
  switch (op) {
    case Op::add:
      return Value::integer(a + b);
    case Op::subtract:
      return Value::integer(a - b);
    case Op::multiply:
      Budget::current()->step(a.bits() / 64 * b.bits() / 64);
      return Value::integer(a * b);
    case Op::power:
      return int_power(a, b);
    default:
      break;
  }
  if (b.zero()) {
    raise("{}", op == Op::divide   ? "division by zero"
                : op == Op::modulo ? "integer modulo by zero"
                                   : "integer division or modulo by zero");
  }
  Budget::current()->step(a.bits() / 64 * b.bits() / 64);
  if (op == Op::divide) {
    const double out = BigInt::true_divide(a, b);
    if (std::isinf(out)) raise("integer division result too large for a float");
    return Value::floating(out);
  }
  BigInt::divide(a, b, quotient, remainder);
  return Value::integer(op == Op::modulo ? remainder : quotient);
}

Value int_arithmetic(Op op, int64_t a, int64_t b) {
  int64_t out;
  switch (op) {
    case Op::add:
      if (!__builtin_add_overflow(a, b, &out)) return Value::integer(out);
      break;
    case Op::subtract:
      if (!__builtin_sub_overflow(a, b, &out)) return Value::integer(out);
      break;
    case Op::multiply:
      if (!__builtin_mul_overflow(a, b, &out)) return Value::integer(out);
      break;
    case Op::floor_divide:
    case Op::modulo: {
      if (b == 0 || b == -1) break;
      int64_t quotient = a / b, remainder = a % b;
      if (remainder != 0 && (remainder < 0) != (b < 0)) {
        remainder += b;
        --quotient;
      }
      return Value::integer(op == Op::modulo ? remainder : quotient);
    }
    case Op::divide: {
      constexpr int64_t kExact = int64_t{1} << 53;
      if (b == 0 || a > kExact || a < -kExact || b > kExact || b < -kExact) break;
      return Value::floating(static_cast<double>(a) / static_cast<double>(b));
    }
    default:
      break;
  }
  return big_arithmetic(op, BigInt(a), BigInt(b));
}

Value repeated(const Value& sequence, const Value& count) {
  if (count.is(Kind::big)) raise("cannot fit 'int' into an index-sized integer");
  const int64_t n = std::max<int64_t>(count.as_int64(), 0);
  if (sequence.is(Kind::string)) return repeat_string(sequence, n);
  const auto& items = sequence.items();
  std::vector<Value> out;
  if (!items.empty() && n > 0) {
    if (static_cast<uint64_t>(n) > (uint64_t{1} << 32) / items.size()) {
      throw Failure{"list too long", ErrorKind::resource};
    }
    Charge charge;
    charge.take(items.size() * static_cast<size_t>(n) * sizeof(Value));
    for (int64_t i = 0; i < n; ++i) out.insert(out.end(), items.begin(), items.end());
  }
  return sequence.is(Kind::list) ? Value::list(std::move(out)) : Value::tuple(std::move(out));
}

Value joined(const Value& a, const Value& b) {
  std::vector<Value> out = a.items();
  out.insert(out.end(), b.items().begin(), b.items().end());
  return a.is(Kind::list) ? Value::list(std::move(out)) : Value::tuple(std::move(out));
}

bool repeats(const Value& value) { return value.is(Kind::string) || value.is_sequence(); }

}  // namespace

Value arithmetic(Interpreter&, Op op, const Value& a, const Value& b) {
  if (op == Op::modulo && a.is(Kind::string)) return format_percent(a, b);
  if (a.is(Kind::undefined)) raise_undefined(a);
  if (b.is(Kind::undefined)) raise_undefined(b);
  if (a.is_number() && b.is_number()) {
    if (a.is(Kind::floating) || b.is(Kind::floating))
      return float_arithmetic(op, to_float(a), to_float(b));
    if (a.is(Kind::big) || b.is(Kind::big)) return big_arithmetic(op, a.as_big(), b.as_big());
    return int_arithmetic(op, a.as_int64(), b.as_int64());
  }
  if (op == Op::add) {
    if (a.is(Kind::string) && b.is(Kind::string)) return concatenate(a, b);
    if (a.is_sequence() && a.kind() == b.kind()) return joined(a, b);
    if (a.is(Kind::string)) raise("can only concatenate str (not \"{}\") to str", type_name(b));
    if (a.is_sequence()) {
      raise("can only concatenate {0} (not \"{1}\") to {0}", type_name(a), type_name(b));
    }
  }
  if (op == Op::multiply) {
    if (repeats(a) && b.is_int_like()) return repeated(a, b);
    if (repeats(b) && a.is_int_like()) return repeated(b, a);
    if (repeats(a)) raise("can't multiply sequence by non-int of type '{}'", type_name(b));
    if (repeats(b)) raise("can't multiply sequence by non-int of type '{}'", type_name(a));
  }
  if (a.as<DictView>() && b.as<DictView>() && op == Op::subtract) {
    throw Failure{"sets are not supported", ErrorKind::unsupported};
  }
  unsupported(op, a, b);
}

Value negated(const Value& value) {
  if (value.is(Kind::undefined)) raise_undefined(value);
  if (value.is(Kind::floating)) return Value::floating(-value.as_double());
  if (!value.is_int_like()) raise("bad operand type for unary -: '{}'", type_name(value));
  return Value::integer(-value.as_big());
}

namespace {

// A bound of a slice; what does not fit 64 bits is as good as their limits.
int64_t bound(const Value& value) {
  if (value.is(Kind::undefined)) raise_undefined(value);
  if (!value.is_int_like()) {
    raise("slice indices must be integers or None or have an __index__ method");
  }
  if (!value.is(Kind::big)) return value.as_int64();
  return value.as_big().negative() ? INT64_MIN : INT64_MAX;
}

}  // namespace

Value slice(Interpreter& interpreter, const Value& value, const Value& start, const Value& stop,
            const Value& step) {
  if (value.is(Kind::undefined)) raise_undefined(value);
  const auto* range = value.as<Range>();
  if (value.is(Kind::dict)) raise("unhashable type: 'slice'");
  if (!value.is(Kind::string) && !value.is_sequence() && !range) {
    raise("'{}' object is not subscriptable", type_name(value));
  }
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
    std::vector<size_t> offsets;
    Charge charge;
    if (!text.ascii() && count > 0) {
      charge.take(sizeof(size_t) * text.length);
      for (size_t at = 0; at < text.bytes.size(); at += char_size(text.bytes, at))
        offsets.push_back(at);
      offsets.push_back(text.bytes.size());
    }
    Text out;
    for (int64_t i = 0; i < count; ++i) {
      const auto at = static_cast<size_t>(from + i * by);
      if (offsets.empty())
        out.append(text, at, at + 1);
      else
        out.append(text, offsets[at], offsets[at + 1]);
    }
    return out.finish(text.markup);
  }
  std::vector<Value> out;
  for (int64_t i = 0; i < count; ++i)
    out.push_back(value.items()[static_cast<size_t>(from + i * by)]);
  return value.is(Kind::list) ? Value::list(std::move(out)) : Value::tuple(std::move(out));
}

}  // namespace ashlar::jinja
