// Schoolbook arithmetic of large integers (Knuth, TAOCP 2, 4.3.1); numbers in templates are short.
#include "jinja/bigint.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace ashlar::jinja {

BigInt::BigInt(int64_t value) : negative_(value < 0) {
  auto rest = negative_ ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  for (; rest; rest >>= 32) digits_.push_back(static_cast<uint32_t>(rest));
}

BigInt BigInt::from_double(double value) {
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(std::trunc(value)), &exponent);
  BigInt out(static_cast<int64_t>(std::ldexp(fraction, 53)));
  if (exponent > 53) {
    out = out.shifted_left(static_cast<size_t>(exponent - 53));
  } else if (exponent < 53) {
    out = BigInt(static_cast<int64_t>(std::fabs(std::trunc(value))));
  }
  out.negative_ = value < 0 && !out.zero();
  return out;
}

BigInt BigInt::from_digits(std::string_view text, int base) {
  BigInt out;
  for (const char c : text) {
    const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    uint64_t carry = static_cast<uint64_t>(digit);
    for (auto& d : out.digits_) {
      carry += static_cast<uint64_t>(d) * static_cast<uint64_t>(base);
      d = static_cast<uint32_t>(carry);
      carry >>= 32;
    }
    if (carry) out.digits_.push_back(static_cast<uint32_t>(carry));
  }
  return out;
}

size_t BigInt::bits() const {
  return digits_.empty()
             ? 0
             : digits_.size() * 32 - static_cast<size_t>(std::countl_zero(digits_.back()));
}

std::optional<int64_t> BigInt::small() const {
  if (digits_.size() > 2) return std::nullopt;
  uint64_t magnitude = 0;
  for (size_t i = digits_.size(); i-- > 0;) magnitude = magnitude << 32 | digits_[i];
  if (magnitude > uint64_t{1} << 63 || (!negative_ && magnitude == uint64_t{1} << 63))
    return std::nullopt;
  return static_cast<int64_t>(negative_ ? uint64_t{0} - magnitude : magnitude);
}

std::string BigInt::to_string(int base) const {
  if (zero()) return "0";
  std::string out;
  Digits rest = digits_;
  // As many digits at once as one division by 32 bits allows.
  uint32_t chunk = static_cast<uint32_t>(base);
  int chunk_digits = 1;
  while (static_cast<uint64_t>(chunk) * static_cast<uint64_t>(base) <= UINT32_MAX) {
    chunk *= static_cast<uint32_t>(base);
    ++chunk_digits;
  }
  while (!rest.empty()) {
    uint32_t part = divide_small(rest, chunk);
    for (int i = 0; i < chunk_digits && (part || !rest.empty()); ++i) {
      out += "0123456789abcdefghijklmnopqrstuvwxyz"[part % static_cast<uint32_t>(base)];
      part /= static_cast<uint32_t>(base);
    }
  }
  if (negative_) out += '-';
  std::reverse(out.begin(), out.end());
  return out;
}

double BigInt::to_double() const {
  const size_t n = bits();
  if (n > 1024) return negative_ ? -HUGE_VAL : HUGE_VAL;
  // The top 64 bits, the lowest of which also says whether anything follows.
  uint64_t top = 0;
  bool sticky = false;
  const size_t drop = n > 64 ? n - 64 : 0;
  for (size_t i = digits_.size(); i-- > 0;) {
    for (int bit = 31; bit >= 0; --bit) {
      const size_t place = i * 32 + static_cast<size_t>(bit);
      const bool set = digits_[i] >> bit & 1;
      if (place >= drop && place < n)
        top = top << 1 | static_cast<uint64_t>(set);
      else
        sticky |= set;
    }
  }
  const int extra = 64 - std::countl_zero(top) - 53;
  if (extra > 0) {
    const uint64_t rest = top & ((uint64_t{1} << extra) - 1), half = uint64_t{1} << (extra - 1);
    top >>= extra;
    if (rest > half || (rest == half && (sticky || (top & 1)))) ++top;
  }
  const double value =
      std::ldexp(static_cast<double>(top), static_cast<int>(drop) + std::max(extra, 0));
  return negative_ ? -value : value;
}

BigInt BigInt::operator-() const {
  BigInt out = *this;
  out.negative_ = !negative_ && !zero();
  return out;
}

BigInt operator+(const BigInt& a, const BigInt& b) {
  BigInt out;
  if (a.negative_ == b.negative_) {
    out.digits_ = BigInt::add_magnitude(a.digits_, b.digits_);
    out.negative_ = a.negative_;
  } else {
    const bool a_larger = BigInt::compare_magnitude(a.digits_, b.digits_) >= 0;
    out.digits_ = a_larger ? BigInt::subtract_magnitude(a.digits_, b.digits_)
                           : BigInt::subtract_magnitude(b.digits_, a.digits_);
    out.negative_ = (a_larger ? a.negative_ : b.negative_) && !out.zero();
  }
  return out;
}

BigInt operator-(const BigInt& a, const BigInt& b) { return a + -b; }

BigInt operator*(const BigInt& a, const BigInt& b) {
  BigInt out;
  if (a.zero() || b.zero()) return out;
  out.digits_.assign(a.digits_.size() + b.digits_.size(), 0);
  for (size_t i = 0; i < a.digits_.size(); ++i) {
    uint64_t carry = 0;
    for (size_t j = 0; j < b.digits_.size(); ++j) {
      carry += static_cast<uint64_t>(a.digits_[i]) * b.digits_[j] + out.digits_[i + j];
      out.digits_[i + j] = static_cast<uint32_t>(carry);
      carry >>= 32;
    }
    out.digits_[i + b.digits_.size()] = static_cast<uint32_t>(carry);
  }
  BigInt::trim(out.digits_);
  out.negative_ = a.negative_ != b.negative_;
  return out;
}

std::strong_ordering operator<=>(const BigInt& a, const BigInt& b) {
  if (a.negative_ != b.negative_) {
    return a.negative_ ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  const int order = BigInt::compare_magnitude(a.digits_, b.digits_);
  return (a.negative_ ? -order : order) <=> 0;
}

void BigInt::divide(const BigInt& a, const BigInt& b, BigInt& quotient, BigInt& remainder) {
  BigInt q, r;
  divide_magnitude(a.digits_, b.digits_, q.digits_, r.digits_);
  q.negative_ = a.negative_ != b.negative_ && !q.zero();
  r.negative_ = a.negative_ && !r.zero();
  if (!r.zero() && a.negative_ != b.negative_) {
    q = q - BigInt(1);
    r = r + b;
  }
  quotient = std::move(q);
  remainder = std::move(r);
}

double BigInt::true_divide(const BigInt& a, const BigInt& b) {
  if (a.zero()) return b.negative_ ? -0.0 : 0.0;
  // Scaled so that the quotient has 66 or 67 bits, more than a double and its rounding need.
  const long scale = 66 - (static_cast<long>(a.bits()) - static_cast<long>(b.bits()));
  BigInt top = a, bottom = b, quotient, rest;
  top.negative_ = bottom.negative_ = false;
  if (scale > 0) top = top.shifted_left(static_cast<size_t>(scale));
  if (scale < 0) bottom = bottom.shifted_left(static_cast<size_t>(-scale));
  divide(top, bottom, quotient, rest);
  if (!rest.zero()) quotient.digits_[0] |= 1;
  const double value = std::ldexp(quotient.to_double(), static_cast<int>(-scale));
  return a.negative_ != b.negative_ ? -value : value;
}

BigInt BigInt::shifted_left(size_t count) const {
  BigInt out;
  if (zero()) return out;
  out.negative_ = negative_;
  out.digits_.assign(count / 32, 0);
  const unsigned shift = count % 32;
  uint64_t carry = 0;
  for (const uint32_t d : digits_) {
    carry |= static_cast<uint64_t>(d) << shift;
    out.digits_.push_back(static_cast<uint32_t>(carry));
    carry >>= 32;
  }
  if (carry) out.digits_.push_back(static_cast<uint32_t>(carry));
  return out;
}

int BigInt::compare_magnitude(const Digits& a, const Digits& b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  for (size_t i = a.size(); i-- > 0;) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

BigInt::Digits BigInt::add_magnitude(const Digits& a, const Digits& b) {
  Digits out;
  uint64_t carry = 0;
  for (size_t i = 0; i < std::max(a.size(), b.size()) || carry; ++i) {
    carry += (i < a.size() ? a[i] : 0ull) + (i < b.size() ? b[i] : 0ull);
    out.push_back(static_cast<uint32_t>(carry));
    carry >>= 32;
  }
  return out;
}

BigInt::Digits BigInt::subtract_magnitude(const Digits& a, const Digits& b) {
  Digits out;
  int64_t borrow = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    int64_t difference = static_cast<int64_t>(a[i]) - (i < b.size() ? b[i] : 0) - borrow;
    borrow = difference < 0;
    if (borrow) difference += int64_t{1} << 32;
    out.push_back(static_cast<uint32_t>(difference));
  }
  trim(out);
  return out;
}

uint32_t BigInt::divide_small(Digits& digits, uint32_t divisor) {
  uint64_t rest = 0;
  for (size_t i = digits.size(); i-- > 0;) {
    rest = rest << 32 | digits[i];
    digits[i] = static_cast<uint32_t>(rest / divisor);
    rest %= divisor;
  }
  trim(digits);
  return static_cast<uint32_t>(rest);
}

void BigInt::divide_magnitude(const Digits& a, const Digits& b, Digits& quotient,
                              Digits& remainder) {
  if (compare_magnitude(a, b) < 0) {
    quotient.clear();
    remainder = a;
    return;
  }
  if (b.size() == 1) {
    quotient = a;
    const uint32_t rest = divide_small(quotient, b[0]);
    remainder.assign(rest ? 1 : 0, rest);
    return;
  }
  // Knuth's algorithm D: the divisor's top bit set, so that a guessed digit is at most two too
  // large.
  const auto shift = static_cast<unsigned>(std::countl_zero(b.back()));
  const auto shifted = [shift](const Digits& in) {
    Digits out;
    uint64_t carry = 0;
    for (const uint32_t d : in) {
      carry |= static_cast<uint64_t>(d) << shift;
      out.push_back(static_cast<uint32_t>(carry));
      carry >>= 32;
    }
    out.push_back(static_cast<uint32_t>(carry));
    return out;
  };
  Digits u = shifted(a), v = shifted(b);
  trim(v);
  const size_t n = v.size(), m = u.size() - n - 1;
  quotient.assign(m + 1, 0);
  for (size_t j = m + 1; j-- > 0;) {
    const uint64_t top = static_cast<uint64_t>(u[j + n]) << 32 | u[j + n - 1];
    uint64_t guess = top / v[n - 1], rest = top % v[n - 1];
    while (guess >> 32 || guess * v[n - 2] > (rest << 32 | u[j + n - 2])) {
      --guess;
      rest += v[n - 1];
      if (rest >> 32) break;
    }
    int64_t borrow = 0;
    uint64_t carry = 0;
    for (size_t i = 0; i < n; ++i) {
      carry += guess * v[i];
      const int64_t difference =
          static_cast<int64_t>(u[i + j]) - borrow - static_cast<int64_t>(carry & UINT32_MAX);
      u[i + j] = static_cast<uint32_t>(difference);
      borrow = difference < 0;
      carry >>= 32;
    }
    const int64_t difference =
        static_cast<int64_t>(u[j + n]) - borrow - static_cast<int64_t>(carry);
    u[j + n] = static_cast<uint32_t>(difference);
    if (difference < 0) {
      --guess;
      uint64_t sum = 0;
      for (size_t i = 0; i < n; ++i) {
        sum += static_cast<uint64_t>(u[i + j]) + v[i];
        u[i + j] = static_cast<uint32_t>(sum);
        sum >>= 32;
      }
      u[j + n] += static_cast<uint32_t>(sum);
    }
    quotient[j] = static_cast<uint32_t>(guess);
  }
  trim(quotient);
  u.resize(n);
  for (size_t i = 0; i < n; ++i) {
    u[i] = static_cast<uint32_t>((static_cast<uint64_t>(i + 1 < n ? u[i + 1] : 0) << 32 | u[i]) >>
                                 shift);
  }
  trim(u);
  remainder = std::move(u);
}

void BigInt::trim(Digits& digits) {
  while (!digits.empty() && digits.back() == 0) digits.pop_back();
}

}  // namespace ashlar::jinja
