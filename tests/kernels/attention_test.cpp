// Every table's attention against double precision, over pages, windows, chunks, sinks, caps and
// groups.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include <fmt/core.h>

#include "kernels/table.h"
#include "support/each_table.h"
#include "support/random_weights.h"

namespace ashlar::kernels {
namespace {

using test::Aligned;
using test::random_values;

struct Options {
  int64_t heads = 1, tokens = 1, first = 0, k_dim = 64, v_dim = 64, page_tokens = 16;
  int64_t window = 0, chunk = 0;
  float softcap = 0;
  bool sinks = false, factors = false, latent = false;  // latent: v lies inside the row of k
  Format state = Format::f32;
  float size = 1;  // of queries: large ones make sharp softmaxes
  bool rounded = false;
  int64_t parts = 0;  // of the keys, merged; 0: all at once
};

std::string describe(const Options& o) {
  return fmt::format(
      "heads {} tokens {} first {} k {} v {} page {} window {} chunk {} cap {} sinks {} state {} "
      "rounded "
      "{} parts {}",
      o.heads, o.tokens, o.first, o.k_dim, o.v_dim, o.page_tokens, o.window, o.chunk, o.softcap,
      o.sinks, info(o.state).name, o.rounded, o.parts);
}

bool rounds(const Options& o) { return o.rounded && o.state != Format::f32; }

/// Rounded: each factor of a score, each weight and each value is off by up to 2^-9 of itself, of
/// normal numbers up to 4.
double tolerance(const Options& o) {
  return (rounds(o) ? 2.5e-2 : 1e-5) * (o.size > 1 ? o.size : 1);
}
/// Of the mean square's root.
constexpr double kRoundedError = 4e-3;

void run(const Table& table, Attention a, int64_t parts) {
  Aligned scratch(table.attention_scratch(a));
  if (parts == 0) return table.attention(a, scratch.data());
  const int64_t rows = a.heads * a.tokens, step = partial_floats(a.v_dim);
  std::vector<float> sums(static_cast<size_t>(parts * rows * step), std::nanf(""));
  const int64_t each = (a.first + a.tokens + parts - 1) / parts;
  for (int64_t p = parts; p-- > 0;) {  // in any order
    a.partials = sums.data() + p * rows * step;
    a.key_begin = p * each;
    a.key_end = (p + 1) * each;
    table.attention(a, scratch.data());
  }
  table.merge_attention({.partials = sums.data(),
                         .parts = parts,
                         .heads = a.heads,
                         .tokens = a.tokens,
                         .v_dim = a.v_dim,
                         .sinks = a.sinks,
                         .out = a.out,
                         .out_token_stride = a.out_token_stride,
                         .out_head_stride = a.out_head_stride});
}

void check(const Table& table, const Options& o) {
  const int64_t context = o.first + o.tokens;
  const int64_t k_row = row_bytes(o.state, o.k_dim) + 64;
  const int64_t v_row = o.latent ? k_row : row_bytes(o.state, o.v_dim) + 32;
  const int64_t pages = (context + o.page_tokens - 1) / o.page_tokens;
  const auto k_values = random_values(context * o.k_dim, 1);
  const auto v_values = random_values(context * o.v_dim, 2);
  std::vector<std::vector<std::byte>> k_bytes, v_bytes;
  std::vector<const std::byte*> k_pages, v_pages;
  for (int64_t p = 0; p < pages; ++p) {
    k_bytes.emplace_back(static_cast<size_t>(o.page_tokens * k_row), std::byte{0xff});  // NaN
    v_bytes.emplace_back(static_cast<size_t>(o.page_tokens * v_row), std::byte{0xff});
    for (int64_t i = 0; i < o.page_tokens && p * o.page_tokens + i < context; ++i) {
      const int64_t j = p * o.page_tokens + i;
      table.store(o.state, k_values.data() + j * o.k_dim, k_bytes.back().data() + i * k_row,
                  o.k_dim);
      table.store(o.state, v_values.data() + j * o.v_dim, v_bytes.back().data() + i * v_row,
                  o.v_dim);
    }
    k_pages.push_back(k_bytes.back().data());
    v_pages.push_back(o.latent ? k_bytes.back().data() : v_bytes.back().data());
  }
  // Pages that no query sees may be gone.
  int64_t earliest = 0;
  if (o.window) earliest = std::max(earliest, o.first - o.window + 1);
  if (o.chunk) earliest = std::max(earliest, o.first / o.chunk * o.chunk);
  for (int64_t p = 0; p < earliest / o.page_tokens; ++p) {
    k_pages[static_cast<size_t>(p)] = nullptr;
    v_pages[static_cast<size_t>(p)] = nullptr;
  }

  const int64_t q_head = o.k_dim + 3, q_token = q_head * o.heads + 5;
  const int64_t out_head = o.v_dim + 1, out_token = out_head * o.heads + 7;
  const auto q = random_values(o.tokens * q_token, 3, o.size);
  const auto sinks = random_values(o.heads, 4, 2.0f);
  auto factors = random_values(o.tokens, 5, 0.1f);
  for (float& f : factors) f += 1;
  std::vector<float> out(static_cast<size_t>(o.tokens * out_token), 777.0f);
  Attention a;
  a.q = q.data();
  a.q_token_stride = q_token;
  a.q_head_stride = q_head;
  a.heads = o.heads;
  a.tokens = o.tokens;
  a.first = o.first;
  a.k_dim = o.k_dim;
  a.v_dim = o.v_dim;
  a.state = o.state;
  a.k_pages = k_pages.data();
  a.v_pages = v_pages.data();
  a.page_tokens = o.page_tokens;
  a.k_row_bytes = k_row;
  a.v_row_bytes = v_row;
  a.window = o.window;
  a.chunk = o.chunk;
  a.scale = 1.0f / std::sqrt(static_cast<float>(o.k_dim));
  a.softcap = o.softcap;
  a.sinks = o.sinks ? sinks.data() : nullptr;
  a.score_factor = o.factors ? factors.data() : nullptr;
  a.out = out.data();
  a.out_token_stride = out_token;
  a.out_head_stride = out_head;
  a.rounded = o.rounded;
  run(table, a, o.parts);

  std::vector<float> k(static_cast<size_t>(o.k_dim)), v(static_cast<size_t>(o.v_dim));
  double squares = 0;
  for (int64_t t = 0; t < o.tokens; ++t) {
    const int64_t position = o.first + t;
    for (int64_t h = 0; h < o.heads; ++h) {
      std::vector<double> scores, sum(static_cast<size_t>(o.v_dim), 0.0);
      std::vector<int64_t> keys;
      double top = -std::numeric_limits<double>::infinity();
      for (int64_t j = 0; j <= position; ++j) {
        if (o.window > 0 && j <= position - o.window) continue;
        if (o.chunk > 0 && j / o.chunk != position / o.chunk) continue;
        info(o.state).to_f32(
            k_pages[static_cast<size_t>(j / o.page_tokens)] + j % o.page_tokens * k_row, k.data(),
            o.k_dim);
        double s = 0;
        for (int64_t i = 0; i < o.k_dim; ++i)
          s += static_cast<double>(q[static_cast<size_t>(t * q_token + h * q_head + i)]) *
               k[static_cast<size_t>(i)];
        s *= static_cast<double>(a.scale);
        if (o.softcap > 0) s = o.softcap * std::tanh(s / o.softcap);
        if (o.factors) s *= factors[static_cast<size_t>(t)];
        scores.push_back(s);
        keys.push_back(j);
        top = std::max(top, s);
      }
      const double sink = sinks[static_cast<size_t>(h)];
      if (o.sinks) top = std::max(top, sink);
      double total = o.sinks ? std::exp(sink - top) : 0.0;
      for (size_t i = 0; i < keys.size(); ++i) {
        const double p = std::exp(scores[i] - top);
        total += p;
        info(o.state).to_f32(
            v_pages[static_cast<size_t>(keys[i] / o.page_tokens)] + keys[i] % o.page_tokens * v_row,
            v.data(), o.v_dim);
        for (size_t c = 0; c < v.size(); ++c) sum[c] += p * static_cast<double>(v[c]);
      }
      for (int64_t c = 0; c < o.v_dim; ++c) {
        const float found = out[static_cast<size_t>(t * out_token + h * out_head + c)];
        const double expected = sum[static_cast<size_t>(c)] / total;
        ASSERT_NEAR(found, expected, tolerance(o))
            << describe(o) << ": token " << t << " head " << h << " value " << c;
        squares += (found - expected) * (found - expected);
      }
      ASSERT_EQ(out[static_cast<size_t>(t * out_token + h * out_head + o.v_dim)], 777.0f);
    }
  }
  if (rounds(o)) {
    EXPECT_LT(std::sqrt(squares / static_cast<double>(o.tokens * o.heads * o.v_dim)), kRoundedError)
        << describe(o);
  }
}

class AttentionTest : public test::TableTest<const Table*> {};

TEST_P(AttentionTest, DecodeAndPrefillOfAllFormats) {
  for (Format state : {Format::f32, Format::f16, Format::bf16, Format::q8_0})
    for (int64_t heads : {1, 2, 3, 5, 8, 16})
      for (auto [tokens, first] :
           {std::pair<int64_t, int64_t>{1, 0}, {1, 130}, {3, 61}, {70, 0}, {33, 97}})
        check(*GetParam(), {.heads = heads, .tokens = tokens, .first = first, .state = state});
}

TEST_P(AttentionTest, WindowsAndChunksAtTheirBoundaries) {
  for (int64_t heads : {1, 4, 14})
    for (int64_t length : {1, 7, 16, 64, 65})
      for (auto [tokens, first] :
           {std::pair<int64_t, int64_t>{1, 63}, {1, 64}, {1, 65}, {1, 200}, {80, 0}, {40, 120}}) {
        check(*GetParam(), {.heads = heads,
                            .tokens = tokens,
                            .first = first,
                            .k_dim = 16,
                            .v_dim = 16,
                            .window = length});
        check(*GetParam(), {.heads = heads,
                            .tokens = tokens,
                            .first = first,
                            .k_dim = 16,
                            .v_dim = 16,
                            .chunk = length});
        check(*GetParam(), {.heads = heads,
                            .tokens = tokens,
                            .first = first,
                            .k_dim = 16,
                            .v_dim = 16,
                            .window = 9,
                            .chunk = length});
      }
}

/// Some tokens end before a tile of 64 keys that later ones of the same few rows see.
TEST_P(AttentionTest, FewRowsOnBothSidesOfATileOfKeys) {
  for (int64_t heads : {1, 2, 3, 5, 7})
    for (int64_t tokens = 2; tokens * heads <= 20; ++tokens)
      for (int64_t first : {65 - tokens, int64_t{63}, int64_t{126}})
        for (int64_t window : {0, 70})
          check(*GetParam(), {.heads = heads,
                              .tokens = tokens,
                              .first = first,
                              .k_dim = 16,
                              .v_dim = 24,
                              .window = window,
                              .state = Format::f16});
}

TEST_P(AttentionTest, SinksCapsAndFactors) {
  for (int64_t tokens : {1, 5, 20})
    for (float cap : {0.0f, 1.0f, 30.0f})
      for (bool sinks : {false, true})
        for (bool factors : {false, true})
          check(*GetParam(), {.heads = 4,
                              .tokens = tokens,
                              .first = 75,
                              .k_dim = 32,
                              .v_dim = 32,
                              .window = 40,
                              .softcap = cap,
                              .sinks = sinks,
                              .factors = factors});
}

TEST_P(AttentionTest, OddSizesAndPages) {
  for (auto [k, v] :
       {std::pair<int64_t, int64_t>{8, 8}, {20, 12}, {80, 80}, {96, 33}, {192, 128}, {256, 256}})
    for (int64_t page : {1, 4, 16, 128})
      for (int64_t tokens : {1, 9, 30})
        check(*GetParam(), {.heads = 2,
                            .tokens = tokens,
                            .first = 67,
                            .k_dim = k,
                            .v_dim = v,
                            .page_tokens = page,
                            .state = Format::f16});
}

TEST_P(AttentionTest, LatentRowsHoldKeyAndValue) {
  for (Format state : {Format::bf16, Format::q8_0})
    for (int64_t tokens : {1, 3})
      for (int64_t heads : {4, 16, 70})
        check(*GetParam(), {.heads = heads,
                            .tokens = tokens,
                            .first = 90,
                            .k_dim = 576,
                            .v_dim = 512,
                            .latent = true,
                            .state = state});
}

TEST_P(AttentionTest, BlocksOfBytesAreNear) {
  const auto x = random_values(96, 6, 3.0f);
  std::vector<std::byte> row(static_cast<size_t>(row_bytes(Format::q8_0, 96)));
  GetParam()->store(Format::q8_0, x.data(), row.data(), 96);
  std::vector<float> back(96);
  info(Format::q8_0).to_f32(row.data(), back.data(), 96);
  for (size_t begin = 0; begin < 96; begin += 32) {
    float top = 0;
    for (size_t i = begin; i < begin + 32; ++i) top = std::max(top, std::abs(x[i]));
    // Half a step of 127, and what float16 takes from the step.
    for (size_t i = begin; i < begin + 32; ++i)
      EXPECT_NEAR(back[i], x[i], top * (0.5f / 127 + 0x1p-11f)) << i;
  }
}

TEST_P(AttentionTest, SharpSoftmaxStaysFinite) {
  for (int64_t tokens : {1, 40})
    check(*GetParam(), {.heads = 2, .tokens = tokens, .first = 130, .size = 60});
}

TEST_P(AttentionTest, RoundedIsNear) {
  for (Format state : {Format::f16, Format::bf16, Format::q8_0})
    for (int64_t heads : {1, 2, 5, 8, 16})
      for (auto [tokens, first] :
           {std::pair<int64_t, int64_t>{1, 0}, {1, 130}, {3, 61}, {140, 0}, {33, 97}})
        for (int64_t window : {0, 40})
          check(*GetParam(), {.heads = heads,
                              .tokens = tokens,
                              .first = first,
                              .window = window,
                              .state = state,
                              .rounded = true});
  for (auto [k, v] :
       {std::pair<int64_t, int64_t>{8, 8}, {20, 12}, {96, 33}, {192, 128}, {256, 256}})
    check(*GetParam(), {.heads = 3,
                        .tokens = 30,
                        .first = 67,
                        .k_dim = k,
                        .v_dim = v,
                        .page_tokens = 8,
                        .softcap = 3,
                        .sinks = true,
                        .factors = true,
                        .state = Format::f16,
                        .rounded = true});
  for (int64_t heads : {16, 70})
    check(*GetParam(), {.heads = heads,
                        .first = 90,
                        .k_dim = 576,
                        .v_dim = 512,
                        .latent = true,
                        .state = Format::bf16,
                        .rounded = true});
}

TEST_P(AttentionTest, PartsOfTheKeysMakeTheWhole) {
  for (bool rounded : {false, true})
    for (int64_t heads : {1, 3, 8})
      for (int64_t tokens : {1, 6})
        for (int64_t parts : {1, 2, 3, 7})
          for (int64_t window : {0, 50})
            check(*GetParam(), {.heads = heads,
                                .tokens = tokens,
                                .first = 300,
                                .v_dim = 80,
                                .window = window,
                                .sinks = heads == 3,
                                .state = Format::f16,
                                .rounded = rounded,
                                .parts = parts});
}

INSTANTIATE_TEST_SUITE_P(All, AttentionTest, testing::ValuesIn(test::all_tables()),
                         [](const auto& c) { return std::string(c.param->name); });

}  // namespace
}  // namespace ashlar::kernels
