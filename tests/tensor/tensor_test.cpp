// Shapes, owned tensors, the table of formats, and conversion.
#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "base/error.h"

namespace ashlar {
namespace {

template <class F>
ErrorKind kind_of(F f) {
  try {
    f();
  } catch (const Error& e) {
    return e.kind();
  }
  ADD_FAILURE() << "no error";
  return ErrorKind::io;
}

std::vector<Format> all_formats() {
  std::vector<Format> formats;
  for (int i = 0; i < kFormats; ++i) formats.push_back(static_cast<Format>(i));
  return formats;
}

TEST(Format, NamesGoBothWays) {
  for (const Format f : all_formats()) EXPECT_EQ(format_named(info(f).name), f);
  EXPECT_EQ(format_named("Q4_K"), Format::q4_k);
  EXPECT_EQ(format_named("BF16"), Format::bf16);
  EXPECT_EQ(format_named("q4_"), std::nullopt);
  EXPECT_EQ(format_named(""), std::nullopt);
}

TEST(Format, BitsPerValueAreTheKnownOnes) {
  const auto bits = [](Format f) { return 8.0 * info(f).block_bytes / info(f).block_len; };
  EXPECT_EQ(bits(Format::f32), 32);
  EXPECT_EQ(bits(Format::q4_0), 4.5);
  EXPECT_EQ(bits(Format::q8_0), 8.5);
  EXPECT_EQ(bits(Format::q2_k), 2.625);
  EXPECT_EQ(bits(Format::q3_k), 3.4375);
  EXPECT_EQ(bits(Format::q4_k), 4.5);
  EXPECT_EQ(bits(Format::q5_k), 5.5);
  EXPECT_EQ(bits(Format::q6_k), 6.5625);
  EXPECT_EQ(bits(Format::iq4_xs), 4.25);
  EXPECT_EQ(bits(Format::mxfp4), 4.25);
  EXPECT_EQ(bits(Format::fp8_b128), 8.25);
  EXPECT_EQ(bits(Format::int4_g32), 4.5);
}

TEST(Shape, CountsWithOverflowCheck) {
  EXPECT_EQ(element_count({}, "t"), 1);
  EXPECT_EQ(element_count({3, 4}, "t"), 12);
  EXPECT_EQ(element_count({3, 0, 4}, "t"), 0);
  EXPECT_EQ(kind_of([] {
              element_count({int64_t{1} << 40, int64_t{1} << 40}, "t");
            }),
            ErrorKind::format);
  EXPECT_EQ(kind_of([] {
              element_count({0, int64_t{1} << 40, int64_t{1} << 40}, "t");
            }),
            ErrorKind::format);
  EXPECT_EQ(kind_of([] { element_count({-1, 4}, "t"); }), ErrorKind::format);
  EXPECT_EQ(to_string(Sizes{32, 64}), "[32, 64]");
  EXPECT_EQ(to_string(Sizes{}), "[]");
}

TEST(Tensor, IsZeroedAlignedAndAddressedByRow) {
  std::byte* data = nullptr;
  const Tensor t = make_tensor(Format::q8_0, {2, 3, 64}, &data);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % 64, 0u);
  EXPECT_EQ(t.rows(), 6);
  EXPECT_EQ(t.cols(), 64);
  EXPECT_EQ(t.bytes(), 6 * 68);
  EXPECT_EQ(t.row(5), data + 5 * 68);
  EXPECT_EQ(to_f32(t), std::vector<float>(384, 0.0f));
  const Tensor scalar = make_tensor(Format::f32, {}, &data);
  EXPECT_EQ(scalar.elements(), 1);
}

TEST(Tensor, ImpossibleOnesAreErrors) {
  std::byte* data = nullptr;
  EXPECT_EQ(kind_of([&] { make_tensor(Format::q8_0, {2, 33}, &data); }), ErrorKind::invalid);
  EXPECT_EQ(kind_of([&] { make_tensor(Format::f32, {int64_t{1} << 50}, &data); }),
            ErrorKind::resource);
  EXPECT_EQ(kind_of([&] {
              make_tensor(Format::f32, {int64_t{1} << 32, int64_t{1} << 32}, &data);
            }),
            ErrorKind::format);
}

Tensor normal(Sizes sizes, uint32_t seed) {
  std::byte* data = nullptr;
  const Tensor t = make_tensor(Format::f32, std::move(sizes), &data);
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  for (int64_t i = 0; i < t.elements(); ++i) reinterpret_cast<float*>(data)[i] = normal(generator);
  return t;
}

// Root mean square error of standard normal values, about what the step widths of the formats give.
TEST(Convert, LosesAboutWhatTheFormatMust) {
  const Tensor x = normal({40, 1024}, 1);
  const std::vector<float> before = to_f32(x);
  const std::pair<Format, double> bounds[] = {
      {Format::f32, 0},        {Format::f16, 3e-4},   {Format::bf16, 2.5e-3},
      {Format::q8_0, 6e-3},    {Format::q6_k, 0.022}, {Format::q5_k, 0.040},
      {Format::q5_0, 0.045},   {Format::q5_1, 0.042}, {Format::q4_k, 0.079},
      {Format::q4_0, 0.093},   {Format::q4_1, 0.087}, {Format::iq4_nl, 0.081},
      {Format::iq4_xs, 0.082}, {Format::q3_k, 0.17},  {Format::q2_k, 0.33},
      {Format::mxfp4, 0.13}};
  for (const auto& [format, bound] : bounds) {
    const std::vector<float> after = to_f32(convert(x, format));
    double sum = 0;
    for (size_t i = 0; i < before.size(); ++i)
      sum += std::pow(double{after[i]} - double{before[i]}, 2);
    const double error = std::sqrt(sum / static_cast<double>(before.size()));
    EXPECT_LE(error, bound) << info(format).name;
    EXPECT_GE(error, bound / 2) << info(format).name;
  }
}

TEST(Convert, LargeTensorsEqualSmallOnes) {
  // Large ones are cut among threads: the same bytes must come out.
  const Tensor x = normal({300, 2048}, 2);
  const Tensor whole = convert(x, Format::q4_k);
  for (const int64_t row : {0, 7, 131, 299}) {
    Tensor part = x;
    part.sizes = {1, 2048};
    part.data = x.row(row);
    const Tensor alone = convert(part, Format::q4_k);
    EXPECT_EQ(std::memcmp(alone.data, whole.row(row), static_cast<size_t>(alone.bytes())), 0)
        << row;
  }
}

TEST(Convert, RefusesWhatCannotBe) {
  const Tensor x = normal({2, 48}, 3);
  EXPECT_EQ(kind_of([&] { convert(x, Format::q8_0); }), ErrorKind::invalid);
  EXPECT_EQ(kind_of([&] { convert(x, Format::int4_g32); }), ErrorKind::unsupported);
  EXPECT_EQ(convert(x, Format::f32).data, x.data);
}

TEST(Quantise, OddValuesNeitherCrashNorSpread) {
  std::vector<float> x(512, 1.0f);
  const float odd[] = {
      std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
      -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::max(), 1e-45f};
  for (const Format f : all_formats()) {
    if (info(f).from_f32 == nullptr || info(f).exact) continue;
    for (const float v : odd) {
      x[3] = v;
      std::vector<std::byte> blocks(static_cast<size_t>(row_bytes(f, 512)));
      std::vector<float> y(512);
      info(f).from_f32(x.data(), blocks.data(), 512);
      info(f).to_f32(blocks.data(), y.data(), 512);
      for (size_t i = 256; i < 512; ++i)
        EXPECT_NEAR(y[i], 1.0f, 0.2f) << info(f).name << " beside " << v;
    }
  }
}

TEST(Dequantise, BlocksNeedNoAlignment) {
  std::mt19937 generator(4);
  for (const Format f : all_formats()) {
    const auto bytes = static_cast<size_t>(row_bytes(f, 512));
    std::vector<unsigned char> even(bytes), odd(bytes + 1);
    for (unsigned char& b : even) b = static_cast<unsigned char>(generator() & 0x3f);
    std::memcpy(odd.data() + 1, even.data(), bytes);
    std::vector<float> a(512), b(512);
    info(f).to_f32(even.data(), a.data(), 512);
    info(f).to_f32(odd.data() + 1, b.data(), 512);
    EXPECT_EQ(std::memcmp(a.data(), b.data(), 512 * sizeof(float)), 0) << info(f).name;
  }
}

}  // namespace
}  // namespace ashlar
