// Tests that every op must pass, generated from the op list and its samples.
#include <gtest/gtest.h>

#include <cmath>

#include "ops/all.h"
#include "support/op_inputs.h"

namespace ashlar::testing {
namespace {

struct Case {
  const OpEntry* entry;
  size_t sample;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const OpEntry& e : all_ops()) {
    for (size_t i = 0; i < e.samples().size(); ++i) all.push_back({&e, i});
  }
  return all;
}

/// Work of several shapes: one sequence, several, and runs that do not start at 0.
std::vector<Workload> workloads() {
  return {
      {{{0, 1}}},        {{{0, 7}}}, {{{0, 4}, {0, 9}}}, {{{3, 1}}}, {{{5, 4}, {0, 2}, {11, 1}}},
      {{{4, 5}, {9, 3}}}};
}

int64_t operations(const Graph& graph, const TokenBatch& batch) {
  if (batch.size() == 0) return 0;
  Parameters<Counted> params;
  const int64_t before = Counted::operations;
  evaluate<Counted>(
      graph, [&](const Param& p) -> const Array<Counted>& { return params(p); }, batch);
  return Counted::operations - before;
}

int64_t flops(const Graph& graph, const Workload& load) {
  int64_t n = 0;
  for (const Node& node : graph.nodes()) n += node.op.flops(graph.input_types(node), load);
  return n;
}

class EveryOp : public ::testing::TestWithParam<Case> {
 protected:
  OpSample sample() const { return GetParam().entry->samples()[GetParam().sample]; }
};

TEST_P(EveryOp, DocumentsItself) {
  const OpDoc& doc = sample().op.doc();
  EXPECT_FALSE(doc.name.empty());
  EXPECT_FALSE(doc.formula.empty());
  EXPECT_FALSE(doc.outputs.empty());
  // The doc names as many inputs as the op takes, those marked ? optional.
  size_t most = doc.inputs.empty() ? 0 : 1, optional = 0;
  for (const char c : doc.inputs) {
    most += c == ' ' ? 1 : 0;
    optional += c == '?' ? 1 : 0;
  }
  EXPECT_LE(sample().inputs.size(), most);
  EXPECT_GE(sample().inputs.size(), most - optional);
}

TEST_P(EveryOp, AttributesReadBack) {
  const Op op = sample().op;
  const Op again = make_op(op.name(), op.attributes());
  EXPECT_TRUE(again == op);
  EXPECT_EQ(again.attributes(), op.attributes());
  std::vector<Attribute> wrong = op.attributes();
  wrong.push_back({"no_such_attribute", "1"});
  EXPECT_THROW(make_op(op.name(), wrong), ShapeError);
  for (size_t i = 0; i + 1 < wrong.size(); ++i) {
    std::vector<Attribute> broken = op.attributes();
    // Any text is the name of an axis or of a value.
    if (broken[i].name == "axis" || broken[i].name == "name") continue;
    broken[i].value += "?";
    EXPECT_THROW(
        {
          const Op made = make_op(op.name(), broken);
          made.types(sample().inputs);  // the axes of `rename` are read here
        },
        ShapeError)
        << broken[i].name;
  }
}

TEST_P(EveryOp, TypesAgreeWithWhatTheMeaningMakes) {
  const OpSample s = sample();
  const auto results = s.op.types(s.inputs);
  for (const Workload& load : workloads()) {
    const TokenBatch batch = batch_of(load);
    for (size_t r = 0; r < results.size(); ++r) {
      if (results[r].kind == Kind::index && s.op.composite()) continue;
      const Graph graph = graph_around(s.op, s.inputs, r);
      EXPECT_EQ(graph.type(graph.output()), results[r]);
      // The expansion of a composite has the composite's type.
      const Graph expanded = graph.expanded();
      EXPECT_EQ(expanded.type(expanded.output()), results[r]);
      for (const Node& n : expanded.nodes()) EXPECT_FALSE(n.op.composite());
      Parameters<double> params;
      const Array<double> y = evaluate<double>(
          graph, [&](const Param& p) -> const Array<double>& { return params(p); }, batch);
      ASSERT_EQ(y.sizes.size(), results[r].axes.size());
      const size_t n = static_cast<size_t>(results[r].feature_count() *
                                           (results[r].per_token() ? batch.size() : 1));
      EXPECT_EQ(results[r].kind == Kind::real ? y.values.size() : y.indices.size(), n);
      EXPECT_EQ(results[r].kind == Kind::real ? y.indices.size() : y.values.size(), 0u);
      for (const double v : y.values) EXPECT_TRUE(std::isfinite(v));
    }
  }
}

// What the cost says = what an instrumented run performs. A run that continues a sequence performs
// what the whole sequence does, less what its beginning does.
TEST_P(EveryOp, FlopsAreTheOperationsPerformed) {
  const OpSample s = sample();
  const Graph graph = graph_around(s.op, s.inputs);
  for (const Workload& load : workloads()) {
    int64_t performed = 0;
    for (const Workload::Run& r : load.runs) {
      performed += operations(graph, batch_of({{{0, r.first + r.count}}})) -
                   operations(graph, batch_of({{{0, r.first}}}));
    }
    EXPECT_EQ(s.op.flops(s.inputs, load), performed);
    EXPECT_EQ(flops(graph.expanded(), load), performed) << "of the expansion";
    bool from_zero = true;
    for (const Workload::Run& r : load.runs) from_zero = from_zero && r.first == 0;
    if (from_zero) {
      EXPECT_EQ(operations(graph, batch_of(load)), performed) << "several sequences at once";
      EXPECT_EQ(operations(graph, batch_of(load, true)), performed) << "interleaved";
    }
  }
}

// A sequence gives the same numbers alone and among strangers; what sums over tokens (gradients of
// what all tokens share) is the sum over the sequences.
TEST_P(EveryOp, SequencesDoNotSeeEachOther) {
  const OpSample s = sample();
  for (const char* mean : {"scored_mean", "expert_load", "router_balance", "sequence_balance",
                           "mean_square", "score_statistics"}) {
    if (s.op.name().starts_with(mean)) GTEST_SKIP() << "a mean over the whole batch";
  }
  const Workload load{{{0, 4}, {0, 9}, {0, 1}}};
  const TokenBatch mixed = batch_of(load, true);
  const auto results = s.op.types(s.inputs);
  for (size_t r = 0; r < results.size(); ++r) {
    const auto value = [&](const TokenBatch& batch) {
      Parameters<double> params;
      return evaluate<double>(
          graph_around(s.op, s.inputs, r),
          [&](const Param& p) -> const Array<double>& { return params(p); }, batch);
    };
    const Array<double> together = value(mixed);
    std::vector<double> sum(together.values.size(), 0);
    for (int32_t sequence = 0; sequence < 3; ++sequence) {
      TokenBatch alone;
      std::vector<size_t> rows;
      for (size_t t = 0; t < mixed.tokens.size(); ++t) {
        if (mixed.sequences[t] != sequence) continue;
        rows.push_back(t);
        alone.tokens.push_back(mixed.tokens[t]);
        alone.positions.push_back(mixed.positions[t]);
        alone.sequences.push_back(sequence);
      }
      give(alone);
      const Array<double> single = value(alone);
      if (!results[r].per_token()) {
        for (size_t i = 0; i < sum.size(); ++i) sum[i] += single.values[i];
        continue;
      }
      const size_t width = together.values.size() / mixed.tokens.size();
      for (size_t i = 0; i < rows.size() * width; ++i)
        EXPECT_EQ(single.values[i], together.values[rows[i / width] * width + i % width]);
      const size_t indices = together.indices.size() / mixed.tokens.size();
      for (size_t i = 0; i < rows.size() * indices; ++i)
        EXPECT_EQ(single.indices[i], together.indices[rows[i / indices] * indices + i % indices]);
    }
    const bool reads_tokens =
        s.op.name() != "constant" && !(s.inputs.size() == 1 && !s.inputs[0].per_token());
    if (results[r].per_token() || !reads_tokens) continue;
    for (size_t i = 0; i < sum.size(); ++i) EXPECT_NEAR(sum[i], together.values[i], 1e-12);
  }
}

/// A token's row of a value.
template <class F>
Array<F> row_of(const Array<F>& a, size_t token, size_t tokens) {
  const auto part = [&](const auto& all) {
    const auto n = static_cast<ptrdiff_t>(all.size() / tokens), at = static_cast<ptrdiff_t>(token);
    return std::vector(all.begin() + at * n, all.begin() + (at + 1) * n);
  };
  return {{}, part(a.values), part(a.indices)};
}

/// Does a token alone give other numbers than among the tokens of its sequence, or is something
/// made of all tokens?
bool mixes(const OpSample& s) {
  TokenBatch whole = batch_of({{{0, 6}}});
  whole.context = 6;  // what is asked for, which is no matter of the tokens
  const auto types = s.op.types(s.inputs);
  const auto all = run<double>(s.op, s.inputs, inputs_of<double>(s.inputs, whole), whole);
  for (size_t t = 0; t < whole.tokens.size(); ++t) {
    TokenBatch one{{whole.tokens[t]}, {whole.positions[t]}, {0}};
    one.context = whole.context;
    give(one);
    const auto alone = run<double>(s.op, s.inputs, inputs_of<double>(s.inputs, one), one);
    for (size_t k = 0; k < types.size(); ++k) {
      if (!types[k].per_token()) {
        if (all[k].values != alone[k].values) return true;
        continue;
      }
      const Array<double> among = row_of(all[k], t, whole.tokens.size());
      if (among.values != alone[k].values || among.indices != alone[k].indices) return true;
    }
  }
  return false;
}

TEST_P(EveryOp, SaysWhetherItMixesTokens) {
  const OpSample s = sample();
  if (s.op.composite()) {
    EXPECT_FALSE(s.op.mixes_tokens()) << "the ops of its expansion say so";
    return;
  }
  EXPECT_TRUE(s.op.mixes_tokens() || !mixes(s));
}

TEST(Ops, ThoseThatSayTheyMixTokensDo) {
  for (const OpEntry& e : all_ops()) {
    bool says = false, does = false;
    for (const OpSample& s : e.samples()) {
      if (!s.op.mixes_tokens()) continue;
      says = true;
      does = does || mixes(s);
    }
    EXPECT_EQ(says, does) << e.doc->name;
  }
}

TEST_P(EveryOp, FloatAgreesWithDouble) {
  const OpSample s = sample();
  const TokenBatch batch = batch_of({{{0, 9}, {0, 4}}}, true);
  for (size_t r = 0; r < s.op.types(s.inputs).size(); ++r) {
    const Graph graph = graph_around(s.op, s.inputs, r);
    Parameters<double> exact_params;
    Parameters<float> params;
    const Array<double> exact = evaluate<double>(
        graph, [&](const Param& p) -> const Array<double>& { return exact_params(p); }, batch);
    const Array<float> y = evaluate<float>(
        graph, [&](const Param& p) -> const Array<float>& { return params(p); }, batch);
    double largest = 1;
    for (const double v : exact.values) largest = std::max(largest, std::abs(v));
    ASSERT_EQ(exact.values.size(), y.values.size());
    for (size_t i = 0; i < y.values.size(); ++i)
      EXPECT_NEAR(y.values[i], exact.values[i], 1e-5 * largest);
    EXPECT_EQ(y.indices, exact.indices);
  }
}

TEST_P(EveryOp, RefusesInputsThatDoNotFit) {
  const OpSample s = sample();
  const size_t n = s.inputs.size();
  std::vector<Type> in = s.inputs;
  for (int extra = 0; extra < 8; ++extra) in.push_back({Kind::real, {tokens_axis(), {"x", 2}}});
  EXPECT_THROW(s.op.types(in), ShapeError) << "too many inputs";
  if (n > 0) {
    EXPECT_THROW(s.op.types({}), ShapeError) << "no inputs";
  }
  for (size_t i = 0; i < n; ++i) {
    in = s.inputs;
    in[i].kind = in[i].kind == Kind::real ? Kind::index : Kind::real;
    EXPECT_THROW(s.op.types(in), ShapeError) << "input " << i << " of the other kind";
  }
}

// Other axes are either refused or computed consistently: never read beyond their end.
TEST_P(EveryOp, RefusesOrUsesOtherAxes) {
  const OpSample s = sample();
  const TokenBatch batch = batch_of({{{0, 3}}});
  const auto check = [&](size_t i, const Type& other) {
    std::vector<Type> in = s.inputs;
    in[i] = other;
    std::vector<Type> results;
    try {
      results = s.op.types(in);
    } catch (const ShapeError&) {
      return;
    }
    const Graph graph = graph_around(s.op, in);
    EXPECT_EQ(operations(graph, batch), s.op.flops(in, {{{0, 3}}}))
        << to_string(other) << " in place of " << to_string(s.inputs[i]);
    EXPECT_EQ(graph.type(graph.output()), results[0]);
  };
  for (size_t i = 0; i < s.inputs.size(); ++i) {
    const Type& given = s.inputs[i];
    Type other = given;
    for (size_t a = given.per_token() ? 1 : 0; a < given.axes.size(); ++a) {
      // Token ids and experts of the sample must still be found in a table.
      if (given.axes[a].name == "vocab" || given.axes[a].name == "experts") continue;
      for (const int64_t change : {-1, 1}) {
        other.axes[a].size = given.axes[a].size + change;
        check(i, other);
      }
      other = given;
      other.axes[a].name = "other";
      check(i, other);
      other = given;
    }
    other.axes.push_back({"surplus", 3});
    check(i, other);
    other = given;
    if (given.per_token())
      other.axes.erase(other.axes.begin());
    else
      other.axes.insert(other.axes.begin(), tokens_axis());
    check(i, other);
    check(i, {given.kind, {}});
  }
}

std::string name_of(const ::testing::TestParamInfo<Case>& c) {
  return std::string(c.param.entry->doc->name) + "_" + std::to_string(c.param.sample);
}
INSTANTIATE_TEST_SUITE_P(AllOps, EveryOp, ::testing::ValuesIn(cases()), name_of);

TEST(Ops, NamesAreUnique) {
  std::map<std::string_view, int> seen;
  for (const OpEntry& e : all_ops()) {
    EXPECT_EQ(seen[e.doc->name]++, 0) << e.doc->name;
    EXPECT_FALSE(e.samples().empty()) << e.doc->name;
  }
  EXPECT_THROW(make_op("no_such_op", {}), ShapeError);
}

// Errors say what was expected and what was found.
TEST(Ops, ErrorsShowBothShapes) {
  const Type x{Kind::real, {tokens_axis(), {"d_model", 6}}};
  const auto message = [](const Op& op, const std::vector<Type>& in) -> std::string {
    try {
      op.types(in);
    } catch (const ShapeError& e) {
      return e.what();
    }
    return "accepted";
  };
  const auto shows = [](const std::string& text, const std::string& a, const std::string& b) {
    return text.find(a) != std::string::npos && text.find(b) != std::string::npos;
  };
  const std::string linear = message(Linear{}, {x, {Kind::real, {{"ffn", 5}, {"d_model", 7}}}});
  EXPECT_TRUE(shows(linear, "d_model=7", "d_model=6")) << linear;
  const std::string renamed = message(Linear{}, {x, {Kind::real, {{"ffn", 5}, {"heads", 6}}}});
  EXPECT_TRUE(shows(renamed, "heads=6", "d_model=6")) << renamed;
  const std::string norm = message(RmsNorm{}, {x, {Kind::real, {{"d_model", 5}}}});
  EXPECT_TRUE(shows(norm, "d_model=5", "d_model=6")) << norm;
  const std::string add = message(Add{}, {x, {Kind::real, {tokens_axis(), {"d_model", 4}}}});
  EXPECT_TRUE(shows(add, "d_model=4", "d_model=6")) << add;
  const Type q{Kind::real, {tokens_axis(), {"kv_heads", 2}, {"group", 3}, {"head_dim", 4}}};
  const Type k{Kind::real, {tokens_axis(), {"kv_heads", 2}, {"head_dim", 4}}};
  const Type wrong{Kind::real, {tokens_axis(), {"kv_heads", 2}, {"head_dim", 8}}};
  const std::string attention = message(Attention{}, {q, wrong, k});
  EXPECT_TRUE(shows(attention, "head_dim=8", "head_dim=4")) << attention;
  const std::string rope = message(Rope{.dim = 6}, {k});
  EXPECT_TRUE(shows(rope, "6", "4")) << rope;
  const std::string route =
      message(Route{.top_k = 9}, {{Kind::real, {tokens_axis(), {"experts", 8}}}});
  EXPECT_TRUE(shows(route, "9", "8")) << route;
}

}  // namespace
}  // namespace ashlar::testing
