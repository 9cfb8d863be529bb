// Every table's row functions against double precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "kernels/table.h"
#include "support/each_table.h"
#include "support/random_weights.h"

namespace ashlar::kernels {
namespace {

using test::random_values;

class RowsTest : public test::TableTest<const Table*> {
 protected:
  const Table& table_ = *GetParam();
};

constexpr int64_t kLengths[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 640, 1025};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double gelu(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

/// |found - want| <= relative |want| + absolute, element by element; checks that y ends where it
/// should.
void expect_near(const std::vector<float>& y, const std::vector<double>& want, double relative,
                 double absolute, const char* what) {
  ASSERT_EQ(y.size(), want.size() + 1);
  ASSERT_EQ(y.back(), 777.0f) << what << ": written past the end";
  for (size_t i = 0; i < want.size(); ++i)
    ASSERT_NEAR(y[i], want[i], relative * std::fabs(want[i]) + absolute)
        << what << " length " << want.size() << " at " << i;
}

std::vector<float> result(int64_t n) {
  std::vector<float> y(static_cast<size_t>(n) + 1, 0.0f);
  y.back() = 777.0f;
  return y;
}

std::vector<double> each(const std::vector<float>& x, const std::function<double(double)>& f) {
  std::vector<double> y;
  for (float v : x) y.push_back(f(v));
  return y;
}

TEST_P(RowsTest, Norms) {
  for (int64_t n : kLengths) {
    auto x = random_values(n, 1, 2.0f);
    const auto w = random_values(n, 2), b = random_values(n, 3);
    for (float& v : x) v += 0.5f;
    double squares = 0, sum = 0;
    for (float v : x) squares += static_cast<double>(v) * v, sum += v;
    const auto count = static_cast<double>(n);
    const double mean = sum / count, rms = 1 / std::sqrt(squares / count + 1e-5);
    double variance = 0;
    for (float v : x) variance += (v - mean) * (v - mean);
    const double deviation = 1 / std::sqrt(variance / count + 1e-5);
    for (bool weighted : {true, false}) {
      std::vector<double> want_rms, want_layer;
      for (size_t i = 0; i < x.size(); ++i) {
        want_rms.push_back(x[i] * rms * (weighted ? w[i] : 1));
        want_layer.push_back((x[i] - mean) * deviation * (weighted ? w[i] : 1) +
                             (weighted ? b[i] : 0));
      }
      auto y = result(n);
      table_.rms_norm(x.data(), weighted ? w.data() : nullptr, y.data(), n, 1e-5f);
      expect_near(y, want_rms, 1e-6, 1e-9, "rms_norm");
      y = result(n);
      table_.layer_norm(x.data(), weighted ? w.data() : nullptr, weighted ? b.data() : nullptr,
                        y.data(), n, 1e-5f);
      expect_near(y, want_layer, 2e-6, n == 1 ? 1e-4 : 4e-6, "layer_norm");
    }
    auto y = result(n);
    std::copy(x.begin(), x.end(), y.begin());
    table_.rms_norm(y.data(), nullptr, y.data(), n, 1e-5f);
    expect_near(y, each(x, [&](double v) { return v * rms; }), 1e-6, 1e-9, "rms_norm in place");
  }
}

TEST_P(RowsTest, GatesAndActivations) {
  for (int64_t n : kLengths) {
    const auto g = random_values(n, 1, 4.0f), u = random_values(n, 2, 4.0f);
    std::vector<double> silu, gelus, clamped;
    for (size_t i = 0; i < g.size(); ++i) {
      silu.push_back(g[i] * sigmoid(g[i]) * u[i]);
      gelus.push_back(gelu(g[i]) * u[i]);
      const double gate = std::min<double>(g[i], 5), up = std::clamp<double>(u[i], -5, 5);
      clamped.push_back((up + 1) * gate * sigmoid(1.702 * gate));
    }
    auto y = result(n);
    table_.gated(Gate::silu, g.data(), u.data(), y.data(), n, 0, 0);
    expect_near(y, silu, 1e-6, 1e-9, "silu gate");
    y = result(n);
    table_.gated(Gate::gelu_tanh, g.data(), u.data(), y.data(), n, 0, 0);
    expect_near(y, gelus, 2e-6, 2e-6, "gelu gate");
    y = result(n);
    table_.gated(Gate::clamped, g.data(), u.data(), y.data(), n, 1.702f, 5);
    expect_near(y, clamped, 2e-6, 1e-7, "clamped gate");
    const std::pair<Unary, std::function<double(double)>> unaries[] = {
        {Unary::gelu_tanh, gelu},
        {Unary::silu, [](double v) { return v * sigmoid(v); }},
        {Unary::sigmoid, sigmoid},
        {Unary::relu, [](double v) { return v > 0 ? v : 0; }},
        {Unary::gelu, [](double v) { return 0.5 * v * (1 + std::erf(v * std::sqrt(0.5))); }}};
    for (const auto& [kind, f] : unaries) {
      y = result(n);
      table_.unary(kind, g.data(), y.data(), n);
      expect_near(y, each(g, f), 2e-6, 5e-7, "unary");
    }
  }
}

TEST_P(RowsTest, Extremes) {
  const std::vector<float> x = {-1e30f, -1000.0f, -100.0f, -88.5f, 0.0f, 88.5f, 100.0f, 1000.0f};
  const auto n = static_cast<int64_t>(x.size());
  auto y = result(n);
  table_.unary(Unary::sigmoid, x.data(), y.data(), n);
  expect_near(y, each(x, sigmoid), 1e-6, 1e-37, "sigmoid");
  y = result(n);
  table_.unary(Unary::silu, x.data(), y.data(), n);
  expect_near(y, each(x, [](double v) { return v * sigmoid(v); }), 1e-6, 1e-35, "silu");
  y = result(n);
  table_.softcap(x.data(), 30, y.data(), n);
  expect_near(y, each(x, [](double v) { return 30 * std::tanh(v / 30); }), 1e-6, 0, "softcap");
  y = result(n);
  table_.softmax(x.data(), y.data(), n);
  expect_near(y, {0, 0, 0, 0, 0, 0, 0, 1}, 0, 0, "softmax");
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> masked = {-infinity, 1, -infinity, 1};
  y = result(4);
  table_.softmax(masked.data(), y.data(), 4);
  expect_near(y, {0, 0.5, 0, 0.5}, 1e-6, 0, "masked softmax");
  const std::vector<float> broken(17, std::numeric_limits<float>::quiet_NaN());
  y = result(17);
  table_.unary(Unary::silu, broken.data(), y.data(), 17);
  for (int i = 0; i < 17; ++i) EXPECT_TRUE(std::isnan(y[static_cast<size_t>(i)]));
}

TEST_P(RowsTest, Arithmetic) {
  for (int64_t n : kLengths) {
    const auto a = random_values(n, 1), b = random_values(n, 2);
    std::vector<double> plus, times, scaled, added, capped, soft;
    double top = -1e9, total = 0;
    for (float v : a) top = std::max<double>(top, v * 8);
    for (float v : a) total += std::exp(v * 8 - top);
    for (size_t i = 0; i < a.size(); ++i) {
      plus.push_back(static_cast<double>(a[i]) + b[i]);
      times.push_back(static_cast<double>(a[i]) * b[i]);
      scaled.push_back(a[i] * 2.5);
      added.push_back(b[i] + a[i] * 2.5);
      capped.push_back(0.7 * std::tanh(a[i] / 0.7));
      soft.push_back(std::exp(a[i] * 8.0 - top) / total);
    }
    auto y = result(n);
    table_.add(a.data(), b.data(), y.data(), n);
    expect_near(y, plus, 1e-7, 0, "add");
    y = result(n);
    table_.multiply(a.data(), b.data(), y.data(), n);
    expect_near(y, times, 1e-7, 0, "multiply");
    y = result(n);
    table_.scale(a.data(), 2.5f, y.data(), n);
    expect_near(y, scaled, 1e-7, 0, "scale");
    y = result(n);
    std::copy(b.begin(), b.end(), y.begin());
    table_.add_scaled(a.data(), 2.5f, y.data(), n);
    expect_near(y, added, 1e-7, 1e-6, "add_scaled");
    y = result(n);
    table_.softcap(a.data(), 0.7f, y.data(), n);
    expect_near(y, capped, 5e-7, 0, "softcap");
    y = result(n);
    table_.scale(a.data(), 8.0f, y.data(), n);
    table_.softmax(y.data(), y.data(), n);
    expect_near(y, soft, 6e-6, 1e-30, "softmax");  // inputs of size 30, rounded
  }
}

TEST_P(RowsTest, Rope) {
  for (int64_t pairs : {1, 2, 4, 7, 8, 9, 16, 17, 24, 32, 64}) {
    for (RopeLayout layout : {RopeLayout::half, RopeLayout::interleaved}) {
      const int64_t n = 2 * pairs + 5;  // values past the rotated ones stay
      const auto x = random_values(n, 1), angle = random_values(pairs, 2, 3.0f);
      std::vector<float> cos, sin;
      for (float v : angle) cos.push_back(std::cos(v)), sin.push_back(std::sin(v));
      std::vector<double> want(x.begin(), x.end());
      for (int64_t j = 0; j < pairs; ++j) {
        const auto a = static_cast<size_t>(layout == RopeLayout::half ? j : 2 * j);
        const auto b = static_cast<size_t>(layout == RopeLayout::half ? j + pairs : 2 * j + 1);
        const double c = cos[static_cast<size_t>(j)], s = sin[static_cast<size_t>(j)];
        want[a] = x[a] * c - x[b] * s;
        want[b] = x[b] * c + x[a] * s;
      }
      auto y = result(n);
      std::copy(x.begin(), x.end(), y.begin());
      table_.rope(layout, y.data(), cos.data(), sin.data(), pairs);
      expect_near(y, want, 1e-6, 5e-7, "rope");
    }
  }
}

TEST_P(RowsTest, StoreRoundsToNearestEven) {
  for (int64_t n : kLengths) {
    auto x = random_values(n, 4, 100.0f);
    if (n > 6) {
      x[0] = 1e-6f, x[1] = 7e4f, x[2] = -0.0f, x[3] = 1.00390625f, x[4] = 1.01171875f;
      x[5] = std::numeric_limits<float>::infinity();
      x[6] = std::numeric_limits<float>::quiet_NaN();
    }
    std::vector<uint16_t> half(static_cast<size_t>(n) + 1, 0xabcd), brain = half;
    std::vector<float> full(static_cast<size_t>(n) + 1, 777.0f);
    table_.store(Format::f16, x.data(), reinterpret_cast<std::byte*>(half.data()), n);
    table_.store(Format::bf16, x.data(), reinterpret_cast<std::byte*>(brain.data()), n);
    table_.store(Format::f32, x.data(), reinterpret_cast<std::byte*>(full.data()), n);
    for (size_t i = 0; i < x.size(); ++i) {
      if (std::isnan(x[i])) {
        EXPECT_TRUE(std::isnan(f16_to_f32(half[i])) && std::isnan(bf16_to_f32(brain[i])));
        continue;
      }
      ASSERT_EQ(half[i], f32_to_f16(x[i])) << x[i];
      ASSERT_EQ(brain[i], f32_to_bf16(x[i])) << x[i];
      ASSERT_EQ(full[i], x[i]);
    }
    EXPECT_EQ(half.back(), 0xabcd);
    EXPECT_EQ(brain.back(), 0xabcd);
    EXPECT_EQ(full.back(), 777.0f);
  }
}

INSTANTIATE_TEST_SUITE_P(All, RowsTest, testing::ValuesIn(test::all_tables()),
                         [](const auto& c) { return std::string(c.param->name); });

}  // namespace
}  // namespace ashlar::kernels
