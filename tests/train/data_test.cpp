// Rows of ids, the order in which they come, initial values.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "base/temporary_folder.h"
#include "graph/builder.h"
#include "train/data.h"
#include "train/init.h"

namespace ashlar::testing {
namespace {

/// A .npy file of version 1 with this header and these bytes.
std::filesystem::path npy(const TemporaryFolder& folder, const std::string& type,
                          const std::string& shape, const std::string& bytes) {
  std::string header =
      "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
  std::string text("\x93NUMPY\x01\x00", 8);
  text += static_cast<char>(header.size());
  text += static_cast<char>(0);
  const auto file = folder.path() / "ids.npy";
  std::ofstream(file, std::ios::binary) << text << header << bytes;
  return file;
}

template <class T>
std::string bytes_of(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(std::data(values)), values.size() * sizeof(T)};
}

TEST(NpyRows, ReadsWholeNumbersOfEverySize) {
  const TemporaryFolder folder;
  const auto expect_ids = [&](const std::string& type, const std::string& bytes) {
    const auto rows = npy_rows(npy(folder, type, "(2, 3)", bytes));
    ASSERT_EQ(rows->rows(), 2);
    ASSERT_EQ(rows->length(), 3);
    std::vector<int32_t> ids(3);
    rows->read(1, ids);
    EXPECT_EQ(ids, (std::vector<int32_t>{4, 5, 60})) << type;
  };
  expect_ids("|u1", bytes_of<uint8_t>({1, 2, 3, 4, 5, 60}));
  expect_ids("<u2", bytes_of<uint16_t>({1, 2, 3, 4, 5, 60}));
  expect_ids("<i4", bytes_of<int32_t>({1, 2, 3, 4, 5, 60}));
  expect_ids("<i8", bytes_of<int64_t>({1, 2, 3, 4, 5, 60}));
}

TEST(NpyRows, RefusesWhatItCannotRead) {
  const TemporaryFolder folder;
  const std::string six = bytes_of<int32_t>({1, 2, 3, 4, 5, 6});
  EXPECT_THROW(npy_rows(npy(folder, "<f4", "(2, 3)", six)), Error);
  EXPECT_THROW(npy_rows(npy(folder, "<i4", "(6,)", six)), Error);
  EXPECT_THROW(npy_rows(npy(folder, "<i4", "(3, 3)", six)), Error);
  EXPECT_THROW(npy_rows(npy(folder, "<i4", "(9223372036854775807, 3)", six)), Error);
  EXPECT_THROW(npy_rows(npy(folder, "<i4", "(6, 1)", six)), Error);
  EXPECT_THROW(npy_rows(npy(folder, "<i4", "(0, 3)", "")), Error);
  EXPECT_THROW(npy_rows(folder.path() / "none.npy"), Error);
  const auto rows = npy_rows(npy(folder, "<i4", "(2, 3)", six));
  EXPECT_THROW(check_ids(*rows, 6), Error);
  check_ids(*rows, 7);
}

TEST(DataOrder, ShuffledIsAnotherPermutationEachEpoch) {
  for (const int64_t count : {1, 2, 3, 64, 65, 1000}) {
    std::set<int64_t> first, second;
    int64_t fixed = 0;
    for (int64_t i = 0; i < count; ++i) {
      first.insert(row_at(DataOrder::shuffled, 7, i, count));
      second.insert(row_at(DataOrder::shuffled, 7, count + i, count));
      fixed += row_at(DataOrder::shuffled, 7, i, count) ==
                       row_at(DataOrder::shuffled, 7, count + i, count)
                   ? 1
                   : 0;
    }
    EXPECT_EQ(static_cast<int64_t>(first.size()), count);
    EXPECT_EQ(static_cast<int64_t>(second.size()), count);
    EXPECT_EQ(*first.rbegin(), count - 1);
    if (count == 1000) {
      EXPECT_LT(fixed, 20);
    }
  }
  EXPECT_EQ(row_at(DataOrder::sequential, 7, 25, 10), 5);
}

class Packed : public TokenRows {
 public:
  int64_t rows() const override { return 1; }
  int64_t length() const override { return 5; }
  void read(int64_t, std::span<int32_t> ids) const override {
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i);
  }
  std::vector<int64_t> borders(int64_t) const override { return {3}; }
  std::string fingerprint() const override { return "packed"; }
  std::string name() const override { return "packed"; }
};

TEST(Batches, BordersBeginSequencesOfTheirOwn) {
  const Packed data;
  const std::vector<int64_t> rows{0, 0};
  const TokenBatch batch = batch_of_rows(data, rows);
  EXPECT_EQ(batch.positions, (std::vector<int32_t>{0, 1, 2, 0, 1, 0, 1, 2, 0, 1}));
  EXPECT_EQ(batch.sequences, (std::vector<int32_t>{0, 0, 0, 1, 1, 2, 2, 2, 3, 3}));
  EXPECT_EQ(predicted_tokens(batch), 6);
}

// Values of the reference implementation (xxhash 0.8).
TEST(Hashes, AreXxh64) {
  const auto of = [](std::string_view text) { return hex(xxh64(std::as_bytes(std::span(text)))); };
  EXPECT_EQ(of(""), "ef46db3751d8e999");
  EXPECT_EQ(of("abc"), "44bc2cf5ad770999");
  EXPECT_EQ(of("Nobody inspects the spammish repetition"), "fbcea83c8a378bf1");
}

double deviation(std::span<const float> values) {
  double sum = 0, square = 0;
  for (const float v : values) {
    sum += v;
    square += static_cast<double>(v) * v;
  }
  const auto n = static_cast<double>(values.size());
  return std::sqrt(square / n - sum / n * (sum / n));
}

TEST(Initialisation, ByRoleAndScheme) {
  Builder b;
  const Axis width{"d_model", 100}, ffn{"ffn", 400};
  b.param("embedding", {{"vocab", 300}, width}, Role::embedding);
  b.param("layers.0.ffn.up", {ffn, width}, Role::projection);
  b.param("layers.1.ffn.down", {width, ffn}, Role::projection);
  b.param("layers.1.norm", {width}, Role::norm, 0);
  b.param("layers.1.bias", {width}, Role::bias, 0);
  const Params& params = b.recorded().params();
  const auto deviations = [&](InitSettings settings) {
    ParameterArrays a(params);
    initialise(params, settings, 3, a);
    EXPECT_EQ(a[ParamId(3)][7], 1);
    EXPECT_EQ(a[ParamId(4)][7], 0);
    return std::array<double, 3>{deviation(a[ParamId(0)]), deviation(a[ParamId(1)]),
                                 deviation(a[ParamId(2)])};
  };
  const auto expect = [&](InitSettings settings, double table, double up, double down) {
    const auto found = deviations(settings);
    EXPECT_NEAR(found[0] / table, 1, 0.02);
    EXPECT_NEAR(found[1] / up, 1, 0.02);
    EXPECT_NEAR(found[2] / down, 1, 0.02);
  };
  constexpr double kCut = 0.9866;  // deviation of a normal distribution cut at 3
  expect({InitScheme::llama}, 0.02 * kCut, 0.02 * kCut, 0.02 * kCut);
  expect({InitScheme::gpt2}, 0.02, 0.02, 0.01);
  expect({InitScheme::deepseek}, 0.006, 0.006, 0.006);
  expect({InitScheme::deepseek, 0.1}, 0.1, 0.1, 0.1);
  expect({InitScheme::fan_in}, kCut, 0.1 * kCut, 0.05 * kCut);
  expect({InitScheme::mitchell}, 0.1 * kCut, 0.1 * kCut, 0.05 * kCut / 2);
  expect({InitScheme::depth}, std::sqrt(0.4) / 10, std::sqrt(0.4) / 10, 0.1);
}

// Graphs share the values of what they share, whatever else they have.
TEST(Initialisation, DependsOnNameAndSeedAlone) {
  const Param up{"layers.0.ffn.up", {{"ffn", 20}, {"d_model", 10}}, Role::projection, 1},
      other{"layers.0.attn.q", {{"heads", 20}, {"d_model", 10}}, Role::projection, 1};
  ParameterArrays one({up}), two({other, up}), seed({up});
  initialise({up}, {}, 3, one);
  initialise({other, up}, {}, 3, two);
  initialise({up}, {}, 4, seed);
  EXPECT_TRUE(std::ranges::equal(one[ParamId(0)], two[ParamId(1)]));
  EXPECT_FALSE(std::ranges::equal(one[ParamId(0)], two[ParamId(0)]));
  EXPECT_FALSE(std::ranges::equal(one[ParamId(0)], seed[ParamId(0)]));
  for (const float v : one[ParamId(0)]) EXPECT_LE(std::abs(v), 0.06f);
}

}  // namespace
}  // namespace ashlar::testing
