// The meanings of ops against PyTorch and Transformers (tools/golden_ops.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "base/json.h"
#include "ops/all.h"
#include "support/op_inputs.h"
#include "support/paths.h"

namespace ashlar::testing {
namespace {

std::filesystem::path folder() {
  return std::filesystem::path(source_dir()) / "tests" / "golden" / "ops";
}

std::vector<Attribute> attributes_of(const Json& json) {
  std::vector<Attribute> attributes;
  for (const auto& [name, value] : json.items())
    attributes.push_back({name, value.get<std::string>()});
  return attributes;
}

struct GoldenInput {
  Type type;
  Array<double> array;
};

GoldenInput input_of(const Json& json, int64_t tokens) {
  GoldenInput in;
  in.type.kind = json["index"].get<bool>() ? Kind::index : Kind::real;
  if (json["tokens"].get<bool>()) {
    in.type.axes.push_back(tokens_axis());
    in.array.sizes.push_back(tokens);
  }
  for (const Json& axis : json["axes"]) {
    in.type.axes.push_back({axis[0].get<std::string>(), axis[1].get<int64_t>()});
    in.array.sizes.push_back(axis[1].get<int64_t>());
  }
  if (in.type.kind == Kind::index)
    in.array.indices = json["data"].get<std::vector<int64_t>>();
  else
    in.array.values = json["data"].get<std::vector<double>>();
  return in;
}

/// Orders the experts of each token by number: which of two equals comes first has no meaning.
void by_expert(std::vector<double>& weights, std::vector<int64_t>& experts, size_t chosen) {
  for (size_t t = 0; t < experts.size(); t += chosen) {
    std::vector<std::pair<int64_t, double>> row;
    for (size_t k = t; k < t + chosen; ++k) row.emplace_back(experts[k], weights[k]);
    std::sort(row.begin(), row.end());
    for (size_t k = 0; k < chosen; ++k) std::tie(experts[t + k], weights[t + k]) = row[k];
  }
}

class GoldenOp : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenOp, EqualsTheReference) {
  const Json cases = read_json(folder() / (GetParam() + ".json"));
  ASSERT_FALSE(cases.empty());
  for (const Json& c : cases) {
    SCOPED_TRACE(c["source"].get<std::string>() + " " + c["attributes"].dump());
    TokenBatch batch;
    batch.positions = c["positions"].get<std::vector<int32_t>>();
    batch.tokens.assign(batch.positions.size(), 0);
    batch.sequences.assign(batch.positions.size(), 0);
    const Op op = make_op(GetParam(), attributes_of(c["attributes"]));
    std::vector<Type> types;
    std::vector<Placeholder::Given> given;
    for (const Json& json : c["inputs"]) {
      GoldenInput in = input_of(json, batch.size());
      types.push_back(in.type);
      given.push_back(std::make_shared<Array<double>>(std::move(in.array)));
    }
    const double tolerance = c["tolerance"].get<double>();
    std::vector<Array<double>> found;
    for (size_t r = 0; r < c["outputs"].size(); ++r) {
      const Graph graph = graph_around(op, types, r, given);
      found.push_back(evaluate<double>(
          graph,
          [&](const Param& p) -> const Array<double>& {
            return *given[static_cast<size_t>(std::stoi(p.name.substr(1)))];
          },
          batch));
    }
    if (found.size() == 2)
      by_expert(found[0].values, found[1].indices, static_cast<size_t>(found[0].sizes[1]));
    for (size_t r = 0; r < found.size(); ++r) {
      if (!found[r].indices.empty()) {
        EXPECT_EQ(found[r].indices, c["outputs"][r].get<std::vector<int64_t>>());
        continue;
      }
      const auto expected = c["outputs"][r].get<std::vector<double>>();
      ASSERT_EQ(found[r].values.size(), expected.size());
      for (size_t i = 0; i < expected.size(); ++i)
        ASSERT_NEAR(found[r].values[i], expected[i],
                    tolerance * std::max(1.0, std::abs(expected[i])))
            << "result " << r << ", element " << i;
    }
  }
}

std::vector<std::string> files() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    if (entry.path().stem() != "rope_frequencies") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}
INSTANTIATE_TEST_SUITE_P(Ops, GoldenOp, ::testing::ValuesIn(files()),
                         [](const auto& named) { return named.param; });

TEST(GoldenOps, EveryOpIsCompared) {
  const std::vector<std::string> found = files();
  const std::set<std::string> names(found.begin(), found.end());
  for (const OpEntry& e : all_ops()) {
    if (e.doc->name == "token_ids" || e.doc->name == "given") continue;  // what the batch says
    // Held against finite differences (derivatives_test.cpp) and, as a whole, against PyTorch's
    // gradients of models.
    static const std::set<std::string_view> kBackward{
        "token_sum",   "pad",         "chosen_dot",  "constant",       "cross_entropy",
        "scored_mean", "log_sum_exp", "expert_load", "router_balance", "sequence_balance"};
    if (e.doc->name.ends_with("_grad") || kBackward.count(e.doc->name)) continue;
    EXPECT_TRUE(names.count(std::string(e.doc->name))) << e.doc->name;
  }
}

TEST(GoldenOps, RopeFrequencies) {
  for (const Json& c : read_json(folder() / "rope_frequencies.json")) {
    SCOPED_TRACE(c["name"].get<std::string>());
    const Op op = make_op("rope", attributes_of(c["attributes"]));
    const std::vector<double> found = op.as<Rope>()->frequencies(0);
    const auto expected = c["frequencies"].get<std::vector<double>>();
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i)
      EXPECT_NEAR(found[i] / expected[i], 1, 2e-6) << "pair " << i;
  }
}

// Multi-token prediction reads the following token.
TEST(GoldenOps, TokenIdsLookAheadWithinTheirSequence) {
  TokenBatch batch;
  batch.tokens = {5, 6, 7, 8, 9};
  batch.positions = {0, 0, 1, 1, 2};
  batch.sequences = {0, 1, 0, 1, 0};
  EXPECT_EQ(run<float>(TokenIds{}, {}, {}, batch)[0].indices,
            (std::vector<int64_t>{5, 6, 7, 8, 9}));
  EXPECT_EQ(run<float>(TokenIds{.ahead = 1}, {}, {}, batch)[0].indices,
            (std::vector<int64_t>{7, 8, 9, 8, 9}));
}

}  // namespace
}  // namespace ashlar::testing
