// Intervals and verdicts against tables and by hand.
#include "lab/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace ashlar::lab {
namespace {

// Fisher and Yates 1963, table III, with the digits of later tables.
TEST(Student, QuantilesAreThoseOfTables) {
  struct Entry {
    double p, freedom, x;
  };
  for (const Entry& e : {Entry{0.975, 1, 12.70620474},
                         {0.975, 2, 4.30265273},
                         {0.975, 3, 3.18244631},
                         {0.975, 4, 2.77644511},
                         {0.975, 9, 2.26215716},
                         {0.975, 30, 2.04227246},
                         {0.8, 1, 1.37638192},
                         {0.8, 2, 1.06066017},
                         {0.8, 4, 0.94096458},
                         {0.95, 10, 1.81246112},
                         {0.025, 4, -2.77644511},
                         {0.5, 7, 0}})
    EXPECT_NEAR(student_quantile(e.p, e.freedom), e.x, 5e-8) << e.p << " " << e.freedom;
}

TEST(Interval, OfFiveDifferences) {
  // mean 0.3, deviation sqrt(0.025), error of the mean sqrt(0.005)
  const double d[] = {0.1, 0.2, 0.3, 0.4, 0.5};
  const Interval i = interval_of(d);
  EXPECT_NEAR(i.mean, 0.3, 1e-12);
  EXPECT_NEAR(i.low, 0.3 - 2.77644511 * std::sqrt(0.005), 1e-8);
  EXPECT_NEAR(i.high, 0.3 + 2.77644511 * std::sqrt(0.005), 1e-8);
  EXPECT_NEAR(i.smallest_detectable, (2.77644511 + 0.94096458) * std::sqrt(0.005), 1e-8);
  EXPECT_TRUE(std::isinf(interval_of(std::span(d, 1)).smallest_detectable));
}

Interval between(double low, double high) {
  return {.mean = (low + high) / 2, .low = low, .high = high, .count = 3};
}

TEST(Verdict, ByDirectionAndSize) {
  const auto of = [](Direction direction, double size, double low, double high) {
    return verdict_of(Criterion{.direction = direction, .size = size}, between(low, high));
  };
  using enum Verdict;
  EXPECT_EQ(of(Direction::lower, 0.1, -0.3, -0.2), confirmed);
  EXPECT_EQ(of(Direction::lower, 0.1, -0.3, -0.05), inconclusive);
  EXPECT_EQ(of(Direction::lower, 0.1, -0.05, 0.2), refuted);
  EXPECT_EQ(of(Direction::higher, 0.1, 0.2, 0.3), confirmed);
  EXPECT_EQ(of(Direction::higher, 0.1, 0.05, 0.3), inconclusive);
  EXPECT_EQ(of(Direction::higher, 0.1, -0.2, 0.05), refuted);
  EXPECT_EQ(of(Direction::equal, 0.1, -0.05, 0.05), confirmed);
  EXPECT_EQ(of(Direction::equal, 0.1, -0.05, 0.15), inconclusive);
  EXPECT_EQ(of(Direction::equal, 0.1, 0.15, 0.2), refuted);
  EXPECT_EQ(of(Direction::equal, 0.1, -0.2, -0.15), refuted);
  EXPECT_EQ(verdict_of(Criterion{}, Interval{}), missing);
  // One seed has no interval and decides nothing.
  const double one[] = {-5};
  EXPECT_EQ(verdict_of(Criterion{.size = 0.1}, interval_of(one)), inconclusive);
}

TEST(Signs, AreThoseOfTheBinomial) {
  const auto of = [](int64_t below, int64_t above, double about) {
    std::vector<double> d(static_cast<size_t>(below), about - 0.5);
    d.insert(d.end(), static_cast<size_t>(above), about + 1.0);
    d.push_back(about);  // counts for neither
    return signs_of(d, about);
  };
  // 2 * sum of C(20, k) / 2^20 for k from 15: 2 * 21700 / 1048576.
  EXPECT_NEAR(of(15, 5, 0).p, 2 * 21700.0 / 1048576, 1e-12);
  EXPECT_NEAR(of(5, 15, -0.1).p, 2 * 21700.0 / 1048576, 1e-12);
  EXPECT_NEAR(of(0, 5, 0).p, 0.0625, 1e-12);
  EXPECT_EQ(of(10, 10, 0).p, 1);
  EXPECT_EQ(of(0, 0, 0).p, 1);
  EXPECT_EQ(of(15, 5, -0.1).below, 15);
  EXPECT_EQ(of(15, 5, -0.1).above, 5);
  using enum Verdict;
  const Criterion lower{.direction = Direction::lower}, higher{.direction = Direction::higher};
  EXPECT_EQ(verdict_of(lower, of(15, 5, 0)), confirmed);
  EXPECT_EQ(verdict_of(lower, of(5, 15, 0)), refuted);
  EXPECT_EQ(verdict_of(higher, of(5, 15, 0)), confirmed);
  EXPECT_EQ(verdict_of(higher, of(15, 5, 0)), refuted);
  EXPECT_EQ(verdict_of(lower, of(14, 6, 0)), inconclusive);
  EXPECT_EQ(verdict_of(lower, of(0, 0, 0)), missing);
}

}  // namespace
}  // namespace ashlar::lab
