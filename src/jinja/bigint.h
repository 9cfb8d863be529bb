// Integers of any size with Python's arithmetic: what a template's numbers grow into beyond 64
// bits.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ashlar::jinja {

/// Sign and magnitude; the magnitude has 32-bit digits, least first, without leading zeros. Zero is
/// not negative.
class BigInt {
 public:
  BigInt() = default;
  BigInt(int64_t value);  // NOLINT: numbers convert

  /// The integral part of a finite `value`.
  static BigInt from_double(double value);
  /// Digits of `base` (2 to 36) only, no sign. The caller has checked them.
  static BigInt from_digits(std::string_view digits, int base);

  bool negative() const { return negative_; }
  bool zero() const { return digits_.empty(); }
  size_t bits() const;
  std::optional<int64_t> small() const;
  uint32_t low_bits() const { return digits_.empty() ? 0 : digits_[0]; }

  std::string to_string(int base = 10) const;
  /// Rounded to nearest, ties to even; an infinity where it does not fit.
  double to_double() const;

  BigInt operator-() const;
  friend BigInt operator+(const BigInt& a, const BigInt& b);
  friend BigInt operator-(const BigInt& a, const BigInt& b);
  friend BigInt operator*(const BigInt& a, const BigInt& b);
  friend std::strong_ordering operator<=>(const BigInt& a, const BigInt& b);
  friend bool operator==(const BigInt& a, const BigInt& b) = default;

  /// Quotient rounded down and the remainder, which has the divisor's sign. `b` is not zero.
  static void divide(const BigInt& a, const BigInt& b, BigInt& quotient, BigInt& remainder);
  /// a / b correctly rounded. `b` is not zero.
  static double true_divide(const BigInt& a, const BigInt& b);
  BigInt shifted_left(size_t bits) const;

 private:
  using Digits = std::vector<uint32_t>;
  static int compare_magnitude(const Digits& a, const Digits& b);
  static Digits add_magnitude(const Digits& a, const Digits& b);
  static Digits subtract_magnitude(const Digits& a, const Digits& b);  // a >= b
  static void divide_magnitude(const Digits& a, const Digits& b, Digits& quotient,
                               Digits& remainder);
  static uint32_t divide_small(Digits& digits, uint32_t divisor);
  static void trim(Digits& digits);

  bool negative_ = false;
  Digits digits_;
};

}  // namespace ashlar::jinja
