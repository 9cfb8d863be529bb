// Every table's matrix product, for every format, against double-precision loops over the
// dequantised rows.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/activations.h"
#include "kernels/table.h"
#include "support/each_table.h"
#include "support/random_weights.h"

namespace ashlar::kernels {
namespace {

using test::Aligned;
using test::random_values;
using test::random_weights;

struct Case {
  const Table* table;
  Format format;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Table* table : tables()) {
    for (int f = 0; f < kFormats; ++f) all.push_back({table, static_cast<Format>(f)});
  }
  return all;
}

std::string case_name(const testing::TestParamInfo<Case>& c) {
  return std::string(c.param.table->name) + "_" + std::string(info(c.param.format).name);
}

/// Whether a product takes the weight for what is nearest to it in bfloat16.
bool rounds_weights(Format format, Activation form) {
  return (form == Activation::bf16 || form == Activation::tiles) && !is_plain(format);
}

/// What prepared row t stands for, of rows that begin at `x`.
std::vector<double> prepared_values(Activation form, const std::byte* x, int64_t row_bytes,
                                    int64_t t, int64_t cols) {
  const std::byte* row = x + t * row_bytes;
  const std::byte* group = x + t / kTokenGroup * kTokenGroup * row_bytes;
  std::vector<double> v(static_cast<size_t>(cols));
  for (int64_t i = 0; i < cols; ++i) {
    auto& out = v[static_cast<size_t>(i)];
    switch (form) {
      case Activation::f32:
        out = reinterpret_cast<const float*>(row)[i];
        break;
      case Activation::bf16:
        out = bf16_to_f32(reinterpret_cast<const uint16_t*>(row)[i]);
        break;
      case Activation::q8:
        out = static_cast<double>(reinterpret_cast<const int8_t*>(row)[i]) *
              reinterpret_cast<const float*>(row + q8_layout(cols).scale)[i / 32];
        break;
      case Activation::tiles:
        out = bf16_to_f32(reinterpret_cast<const uint16_t*>(
            group)[(i / 2 * kTokenGroup + t % kTokenGroup) * 2 + i % 2]);
        break;
    }
  }
  return v;
}

class MatMulTest : public test::TableTest<Case> {};

/// Products of rows [begin, end) for several token counts, with and without gather and bias.
void check(const Table& table, Format format, Activation form, int64_t cols,
           const std::vector<int64_t>& token_counts) {
  constexpr int64_t kRows = 41, kTokens = 64, kStride = kRows + 3;
  const auto weights = random_weights(format, kRows, cols, static_cast<uint32_t>(cols) * 7 + 1);
  const auto x = random_values(kTokens * cols, 5);
  const auto bias = random_values(kRows, 6);
  const int64_t x_row_bytes = round_up(table.activation_bytes(form, cols), 64);
  Aligned prepared(x_row_bytes * kTokens);
  prepare_rows(table, form, x.data(), cols, kTokens, prepared.data(), x_row_bytes, cols);

  std::vector<double> expected(kRows * kTokens), size(kRows * kTokens);
  std::vector<float> row(static_cast<size_t>(cols));
  std::vector<std::vector<double>> values;
  for (int64_t t = 0; t < kTokens; ++t)
    values.push_back(prepared_values(form, prepared.data(), x_row_bytes, t, cols));
  for (int64_t r = 0; r < kRows; ++r) {
    info(format).to_f32(weights.data() + r * row_bytes(format, cols), row.data(), cols);
    double largest = 0;
    for (float w : row) largest = std::max(largest, std::fabs(static_cast<double>(w)));
    for (int64_t t = 0; t < kTokens; ++t) {
      double y = 0, total = 0;
      for (int64_t c = 0; c < cols; ++c) {
        const double v = values[static_cast<size_t>(t)][static_cast<size_t>(c)];
        y += row[static_cast<size_t>(c)] * v;
        total += std::fabs(v);
      }
      expected[static_cast<size_t>(t * kRows + r)] = y;
      // float32 sums: a few units of 2^-24 of the largest partial sums; bf16: weights rounded to
      // 8 bits.
      size[static_cast<size_t>(t * kRows + r)] =
          total * largest * (rounds_weights(format, form) ? 0x1.02p-8 : 1.5e-6);
    }
  }

  std::vector<int32_t> gather(kTokens);
  for (int64_t t = 0; t < kTokens; ++t)
    gather[static_cast<size_t>(t)] = static_cast<int32_t>((t * 29 + 7) % kTokens);
  int variant = 0;
  for (int64_t tokens : token_counts) {
    ++variant;
    const bool gathered = variant % 2 && form != Activation::tiles, biased = variant % 3 == 0;
    const int64_t begin = variant % 4 == 1 ? 0 : variant % 4, end = variant % 4 ? kRows : kRows - 5;
    Aligned scratch(table.matmul_scratch(format, cols));
    std::vector<float> y(static_cast<size_t>(tokens * kStride), 12345.0f);
    MatMul m;
    m.w = weights.data();
    m.w_row_bytes = row_bytes(format, cols);
    m.cols = cols;
    m.row_begin = begin;
    m.row_end = end;
    m.x = prepared.data();
    m.x_row_bytes = x_row_bytes;
    m.x_rows = gathered ? gather.data() : nullptr;
    m.tokens = tokens;
    m.y = y.data();
    m.y_stride = kStride;
    m.bias = biased ? bias.data() : nullptr;
    table.matmul(format, form, m, scratch.data());
    for (int64_t t = 0; t < tokens; ++t) {
      const int64_t from = gathered ? gather[static_cast<size_t>(t)] : t;
      for (int64_t r = 0; r < kStride; ++r) {
        const float found = y[static_cast<size_t>(t * kStride + r)];
        if (r < begin || r >= end) {
          ASSERT_EQ(found, 12345.0f) << "row " << r << " outside [" << begin << ", " << end << ")";
          continue;
        }
        const auto at = static_cast<size_t>(from * kRows + r);
        const double want = expected[at] + (biased ? bias[static_cast<size_t>(r)] : 0.0f);
        ASSERT_NEAR(found, want, size[at] + (biased ? 6e-7 * (1 + std::fabs(want)) : 0.0))
            << "cols " << cols << " tokens " << tokens << " token " << t << " row " << r
            << " activation " << static_cast<int>(form);
      }
    }
  }
}

TEST_P(MatMulTest, EqualsPlainLoops) {
  const auto [table, format] = GetParam();
  std::vector<int64_t> widths;
  switch (info(format).block_len) {
    case 1:
      widths = {1, 7, 33, 100, 640, 2051};
      break;
    case 32:
      widths = {32, 64, 96, 160, 576, 640, 1120};
      break;
    case 128:
      widths = {128, 384, 1152};
      break;
    default:
      widths = {256, 768, 1280};
      break;
  }
  const std::vector<int64_t> few = {1, 2, 3, 5, 6}, all = {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 64};
  for (int64_t cols : widths) {
    for (Activation form : {Activation::f32, Activation::bf16, Activation::q8}) {
      const auto forms = table->product_forms(format);
      const bool asked = std::any_of(forms.begin(), forms.end(),
                                     [&](const ProductForm& f) { return f.activation == form; });
      check(*table, format, form, cols, asked ? all : few);
      if (HasFatalFailure()) return;
    }
    if (table->prepare_group != nullptr && format != Format::f32)
      check(*table, format, Activation::tiles, cols, all);
  }
}

TEST_P(MatMulTest, FormsAreStatedByRisingTokens) {
  const auto [table, format] = GetParam();
  const auto forms = table->product_forms(format);
  ASSERT_FALSE(forms.empty());
  EXPECT_EQ(forms.front().tokens, 1);
  const ProductForm* before = nullptr;
  for (const ProductForm& form : forms) {
    if (form.packing != Packing::rows) continue;
    EXPECT_LE(form.tokens, kLeastTokenBlock);  // a block of tokens has the form of all
    if (format == Format::f32 || (format == Format::f16 && table->name != "amx")) {
      EXPECT_EQ(form.activation, Activation::f32);
    }
    EXPECT_GE(table->activation_bytes(form.activation, 256), 256);
    EXPECT_GE(form.rows, 1);
    EXPECT_EQ(&form_for(forms, form.tokens), &form);
    if (before != nullptr) {
      EXPECT_GT(form.tokens, before->tokens);
      EXPECT_EQ(&form_for(forms, form.tokens - 1), before);
    }
    before = &form;
  }
}

/// Tokens may be split into blocks, and rows into panels: sums are the same to the bit.
TEST_P(MatMulTest, BlocksOfTokensHaveTheSumsOfAll) {
  const auto [table, format] = GetParam();
  constexpr int64_t kRows = 70, kTokens = 2 * kLeastTokenBlock + 37;
  const int64_t cols = info(format).block_len == 1 ? 1301 : 1280;
  const auto weights = random_weights(format, kRows, cols, 11);
  const auto x = random_values(kTokens * cols, 12);
  const ProductForm& form = form_for(table->product_forms(format), kTokens);
  const int64_t x_row = round_up(table->activation_bytes(form.activation, cols), 64);
  Aligned prepared(x_row * round_up(kTokens, kTokenGroup)),
      scratch(table->matmul_scratch(format, cols));
  prepare_rows(*table, form.activation, x.data(), cols, kTokens, prepared.data(), x_row, cols);
  const auto multiply = [&, table = table, format = format](std::vector<int64_t> tokens,
                                                            std::vector<int64_t> rows) {
    std::vector<float> y(static_cast<size_t>(kTokens * kRows));
    for (size_t i = 0; i + 1 < tokens.size(); ++i) {
      for (size_t j = 0; j + 1 < rows.size(); ++j) {
        table->matmul(format, form.activation,
                      {.w = weights.data(),
                       .w_row_bytes = row_bytes(format, cols),
                       .cols = cols,
                       .row_begin = rows[j],
                       .row_end = rows[j + 1],
                       .x = prepared.data() + tokens[i] * x_row,
                       .x_row_bytes = x_row,
                       .tokens = tokens[i + 1] - tokens[i],
                       .y = y.data() + tokens[i] * kRows,
                       .y_stride = kRows},
                      scratch.data());
      }
    }
    return y;
  };
  const std::vector<float> whole = multiply({0, kTokens}, {0, kRows});
  EXPECT_EQ(multiply({0, kLeastTokenBlock, kTokens}, {0, kRows}), whole);
  const int64_t more = form.activation == Activation::tiles ? kTokenGroup : 31;
  EXPECT_EQ(multiply({0, kLeastTokenBlock + more, kTokens}, {0, form.rows, kRows}), whole);
}

/// A weight packed once has the sums of one that is packed for the call.
TEST_P(MatMulTest, PanelsHaveTheSumsOfRows) {
  const auto [table, format] = GetParam();
  const auto forms = table->product_forms(format);
  const auto packed = std::find_if(forms.begin(), forms.end(), [](const ProductForm& f) {
    return f.packing == Packing::panels;
  });
  if (packed == forms.end()) return;
  ASSERT_GT(table->panel_rows, 0);
  EXPECT_EQ(packed->rows % table->panel_rows, 0);
  constexpr int64_t kRows = 53;
  for (const int64_t about : {7, 640, 2051}) {
    const int64_t cols = round_up(about, info(format).block_len);
    for (const int64_t tokens : {packed->tokens, packed->tokens + 5, int64_t{70}}) {
      const auto weights = random_weights(format, kRows, cols, 21);
      const auto x = random_values(tokens * cols, 22), bias = random_values(kRows, 23);
      const int64_t x_row = round_up(table->activation_bytes(packed->activation, cols), 64);
      Aligned prepared(x_row * round_up(tokens, kTokenGroup)),
          scratch(table->matmul_scratch(format, cols));
      prepare_rows(*table, packed->activation, x.data(), cols, tokens, prepared.data(), x_row,
                   cols);
      Aligned panels(blocks_of(kRows, table->panel_rows) * table->panel_bytes(format, cols));
      table->pack_panels(format, weights.data(), row_bytes(format, cols), kRows, cols,
                         panels.data());
      const auto multiply = [&, table = table, format = format](const std::byte* from) {
        std::vector<float> y(static_cast<size_t>(tokens * kRows));
        table->matmul(format, packed->activation,
                      {.w = weights.data(),
                       .w_row_bytes = row_bytes(format, cols),
                       .panels = from,
                       .cols = cols,
                       .row_begin = table->panel_rows,
                       .row_end = kRows,
                       .x = prepared.data(),
                       .x_row_bytes = x_row,
                       .tokens = tokens,
                       .y = y.data(),
                       .y_stride = kRows,
                       .bias = bias.data()},
                      scratch.data());
        return y;
      };
      EXPECT_EQ(multiply(panels.data()), multiply(nullptr)) << cols << " " << tokens;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, MatMulTest, testing::ValuesIn(cases()), case_name);

class PrepareTest : public test::TableTest<const Table*> {};

TEST_P(PrepareTest, RoundsToTheNearest) {
  const Table& table = *GetParam();
  for (int64_t cols : {1, 31, 32, 33, 64, 100, 256, 320, 640}) {
    auto x = random_values(cols, static_cast<uint32_t>(cols), 3.0f);
    if (cols == 320) std::fill(x.begin() + 32, x.begin() + 64, 0.0f);
    Aligned row(table.activation_bytes(Activation::bf16, cols));
    table.prepare(Activation::bf16, x.data(), row.data(), cols);
    for (int64_t i = 0; i < cols; ++i)
      ASSERT_EQ(reinterpret_cast<const uint16_t*>(row.data())[i],
                f32_to_bf16(x[static_cast<size_t>(i)]));
    if (cols % 2) {
      EXPECT_EQ(reinterpret_cast<const uint16_t*>(row.data())[cols], 0);
    }

    const Q8Layout at = q8_layout(cols);
    Aligned q8(table.activation_bytes(Activation::q8, cols));
    table.prepare(Activation::q8, x.data(), q8.data(), cols);
    const auto* q = reinterpret_cast<const int8_t*>(q8.data());
    const auto* scale = reinterpret_cast<const float*>(q8.data() + at.scale);
    const auto* sum = reinterpret_cast<const float*>(q8.data() + at.sum);
    const auto* half_sum = reinterpret_cast<const float*>(q8.data() + at.half_sum);
    for (int64_t b = 0; b < at.padded / 32; ++b) {
      int sums[2] = {0, 0};
      float largest = 0;
      for (int64_t i = 0; i < 32; ++i) {
        const float v = 32 * b + i < cols ? x[static_cast<size_t>(32 * b + i)] : 0.0f;
        largest = std::max(largest, std::fabs(v));
        sums[i / 16] += q[32 * b + i];
        ASSERT_NE(q[32 * b + i], -128);
        ASSERT_NEAR(v, scale[b] * static_cast<float>(q[32 * b + i]), scale[b] * 0.50001f);
      }
      ASSERT_NEAR(scale[b], largest / 127, largest * 1e-7f);
      for (int i = 0; i < 2; ++i)
        ASSERT_FLOAT_EQ(half_sum[2 * b + i], kSumFactor * scale[b] * static_cast<float>(sums[i]));
      ASSERT_FLOAT_EQ(sum[b], kSumFactor * scale[b] * static_cast<float>(sums[0] + sums[1]));
    }
  }
}

// 127 / x overflows below 3.7e-37, which products of gates reach.
TEST_P(PrepareTest, TinyRunsAreFinite) {
  const Table& table = *GetParam();
  const int64_t cols = 64;
  const Q8Layout at = q8_layout(cols);
  Aligned row(table.activation_bytes(Activation::q8, cols));
  for (float tiny : {1e-45f, 1e-40f, 1e-38f, 3e-37f, 9e-37f, 1.1e-36f, 1e-35f}) {
    std::vector<float> x(cols, -tiny);
    x[3] = 0;
    x[40] = 1;  // the second run is an ordinary one
    table.prepare(Activation::q8, x.data(), row.data(), cols);
    const auto* q = reinterpret_cast<const int8_t*>(row.data());
    const auto* scale = reinterpret_cast<const float*>(row.data() + at.scale);
    for (int64_t c = 0; c < cols; ++c)
      ASSERT_NEAR(scale[c / 32] * static_cast<float>(q[c]), x[static_cast<size_t>(c)],
                  std::max(1e-36f, scale[c / 32] * 0.50001f))
          << tiny << " at " << c;
    ASSERT_EQ(q[40], 127);
    ASSERT_EQ(q[3], 0);
    for (int64_t b = 0; b < 2; ++b) {
      ASSERT_TRUE(std::isfinite(reinterpret_cast<const float*>(row.data() + at.sum)[b]));
      ASSERT_TRUE(std::isfinite(scale[b]));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, PrepareTest, testing::ValuesIn(test::all_tables()),
                         [](const auto& c) { return std::string(c.param->name); });

}  // namespace
}  // namespace ashlar::kernels
