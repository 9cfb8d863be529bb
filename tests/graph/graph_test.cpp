// The graph by itself, with ops that exist for these tests only.
#include "graph/graph.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "graph/builder.h"
#include "graph/evaluate.h"
#include "graph/op_model.h"
#include "graph/text.h"

namespace ashlar {

/// [tokens, d=4] of the token's position.
struct Start {
  static constexpr OpDoc doc{"start", "y = position", "", "y", ""};
  template <class V>
  void attributes(V&) {}
  std::vector<Type> types(std::span<const Type> in) const {
    expect_inputs(in, 0, 0);
    return {{Kind::real, {tokens_axis(), {"d", 4}}}};
  }
  int64_t flops(std::span<const Type>, const Workload&) const { return 0; }
  template <class F>
  void meaning(const In<F>& in, Out<F>& out) const {
    for (size_t i = 0; i < out[0].values.size(); ++i) out[0].values[i] = in.batch.positions[i / 4];
  }
};
ASHLAR_DECLARE_OP(Start);

/// x + w per element, `times` times.
struct Plus {
  static constexpr OpDoc doc{"plus", "y = x + times w", "x w", "y", ""};
  int64_t times = 1;
  double unused = 0.1;
  template <class V>
  void attributes(V& v) {
    v("times", times);
    v("unused", unused);
  }
  std::vector<Type> types(std::span<const Type> in) const {
    expect_inputs(in, 2, 2);
    expect_axes(in[1].axes, in[0].features(), "w");
    return {in[0]};
  }
  int64_t flops(std::span<const Type> in, const Workload& load) const {
    return load.tokens() * in[0].feature_count() * times;
  }
  template <class F>
  void meaning(const In<F>& in, Out<F>& out) const {
    for (size_t i = 0; i < out[0].values.size(); ++i) {
      F y = in[0].values[i];
      for (int64_t k = 0; k < times; ++k) y += in[1].values[i % in[1].values.size()];
      out[0].values[i] = y;
    }
  }
};
ASHLAR_DECLARE_OP(Plus);

/// Plus twice; itself made of `plus`. Depth 2 goes through another `both` first.
struct Both {
  static constexpr OpDoc doc{"both", "y = x + 2 w", "x w", "y", ""};
  int64_t depth = 1;
  template <class V>
  void attributes(V& v) {
    v("depth", depth);
  }
  std::vector<Type> types(std::span<const Type> in) const { return Plus{}.types(in); }
  int64_t flops(std::span<const Type> in, const Workload& load) const {
    return Plus{.times = 2}.flops(in, load);
  }
  std::vector<Value> expand(Builder& b, std::span<const Value> in) const;
};
ASHLAR_DECLARE_OP(Both);

std::vector<Value> Both::expand(Builder& b, std::span<const Value> in) const {
  if (depth > 1) return {b.add1(Both{depth - 1}, {in[0], in[1]}, "inner")};
  const Value x = b.add1(Plus{}, {in[0], in[1]}, "first");
  return {b.add1(Plus{}, {x, in[1]}, "second")};
}

ASHLAR_OP(Start)
ASHLAR_OP(Plus)
ASHLAR_OP(Both)

namespace {

template <class T>
Op read(const std::vector<Attribute>& attributes) {
  T op;
  AttributeReader reader{attributes};
  op.attributes(reader);
  reader.finish();
  return Op(op);
}

Op make(std::string_view name, const std::vector<Attribute>& attributes) {
  if (name == "start") return read<Start>(attributes);
  if (name == "plus") return read<Plus>(attributes);
  if (name == "both") return read<Both>(attributes);
  shape_error("no op is called " + std::string(name));
}

template <class F>
std::string message(F f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing thrown";
}

bool shows(const std::string& text, std::initializer_list<const char*> parts) {
  for (const char* part : parts) {
    if (text.find(part) == std::string::npos) return false;
  }
  return true;
}

Graph small_graph() {
  Builder b;
  Value x = b.add1(Start{}, {}, "x");
  {
    Scope layer(b, "layers.0");
    const Value w = b.param("w", {{"d", 4}}, Role::norm, 0);
    x = b.add1(Both{2}, {x, w}, "twice");
    x = b.add1(Plus{.times = 3}, {x, w});
  }
  return b.finish(x);
}

TEST(Builder, NamesParametersByScope) {
  const Graph g = small_graph();
  ASSERT_NE(g.param("layers.0.w"), nullptr);
  EXPECT_EQ(g.param("w"), nullptr);
  EXPECT_EQ(g.parameter_count(), 4);
  EXPECT_EQ(g.nodes()[NodeId(1)].scope, "layers.0");
  EXPECT_EQ(g.nodes()[NodeId(1)].label, "twice");
  EXPECT_EQ(g.type(g.output()), (Type{Kind::real, {tokens_axis(), {"d", 4}}}));
}

TEST(Builder, ErrorsNameTheNodeAndBothShapes) {
  Builder b;
  const Value x = b.add1(Start{}, {});
  Scope scope(b, "layers.7");
  const Value w = b.param("w", {{"d", 5}}, Role::norm, 0);
  const std::string text = message([&] { b.add(Plus{}, {x, w}, "sum"); });
  EXPECT_TRUE(shows(text, {"layers.7.sum", "plus", "[d=4]", "[d=5]"})) << text;
}

TEST(Builder, SameNameOtherShapeIsAnError) {
  Builder b;
  b.param("w", {{"d", 4}}, Role::norm, 0);
  EXPECT_NO_THROW(b.param("w", {{"d", 4}}, Role::norm, 0));
  const std::string text = message([&] { b.param("w", {{"d", 6}}, Role::norm, 0); });
  EXPECT_TRUE(shows(text, {"w", "d=4", "d=6"})) << text;
}

TEST(Builder, AbsurdSizesAreRefused) {
  Builder b;
  const int64_t big = int64_t{1} << 30;
  EXPECT_THROW(b.param("w", {{"a", big}, {"b", big}, {"c", big}}, Role::norm), Error);
  EXPECT_THROW(b.param("w", {{"a", big}, {"b", big}}, Role::norm), Error);
  EXPECT_THROW(b.param("w", {{"a", 0}}, Role::norm), Error);
  EXPECT_THROW(b.param("w", {{"a", -3}, {"b", -3}}, Role::norm), Error);
  EXPECT_THROW(b.param("w", {{"a", 3}}, Role::norm, 2), Error);
}

TEST(Builder, MissingParametersAndAxes) {
  Builder b;
  EXPECT_THROW(b.param_named("w"), Error);
  const Value x = b.add1(Start{}, {});
  EXPECT_EQ(x.axis("d").size, 4);
  EXPECT_THROW(x.axis("heads"), Error);
}

TEST(Verifier, RefusesParametersThatNothingReads) {
  Builder b;
  const Value x = b.add1(Start{}, {});
  b.param("lonely", {{"d", 4}}, Role::norm, 0);
  const std::string text = message([&] { b.finish(x); });
  EXPECT_TRUE(shows(text, {"lonely"})) << text;
}

TEST(Param, RowsAndColumns) {
  Param p{"w", {{"a", 3}, {"b", 4}, {"c", 5}}, Role::projection, 1};
  EXPECT_EQ(p.rows(), 3);
  EXPECT_EQ(p.cols(), 20);
  p.row_axes = 0;
  EXPECT_EQ(p.rows(), 1);
  EXPECT_EQ(p.cols(), 60);
}

TEST(Expand, ReplacesCompositesUntilNoneIsLeft) {
  const Graph g = small_graph();
  const Graph e = g.expanded();
  ASSERT_EQ(e.nodes().size(), 4u);
  for (const Node& n : e.nodes()) EXPECT_FALSE(n.op.composite());
  EXPECT_EQ(e.params(), g.params());
  EXPECT_EQ(e.type(e.output()), g.type(g.output()));
  EXPECT_EQ(e.nodes()[NodeId(1)].scope, "layers.0.twice.inner");
  // Nothing to do: the same graph.
  EXPECT_EQ(e.expanded(), e);
  EXPECT_EQ(g.expanded("other"), g);
}

TEST(Evaluate, ExpandsAndRuns) {
  const Graph g = small_graph();
  const Array<float> w{{4}, {1, 10, 100, 1000}, {}};
  size_t seen = 0;
  const Array<float> y = evaluate<float>(
      g, [&](const Param&) -> const Array<float>& { return w; }, TokenBatch::whole({0, 0}),
      [&](const Node&, const std::vector<Array<float>>& values) { seen += values.size(); });
  EXPECT_EQ(y.values, (std::vector<float>{5, 50, 500, 5000, 6, 51, 501, 5001}));
  EXPECT_EQ(seen, 4u);
}

TEST(Text, ReadsBack) {
  const Graph g = small_graph();
  const Graph again = parse_graph(g.text(), make);
  EXPECT_EQ(again.text(), g.text());
  EXPECT_EQ(again.params(), g.params());
  EXPECT_EQ(again.nodes()[NodeId(1)].scope, "layers.0");
  EXPECT_EQ(again.nodes()[NodeId(2)].label, "");
}

TEST(Text, IsWhatTheDocsSay) {
  EXPECT_EQ(small_graph().text(),
            "param @layers.0.w [d=4] norm rows=0\n"
            "%0 = start() :x : [tokens, d=4]\n"
            "%1 = both(%0, @layers.0.w) {depth=2} layers.0:twice : [tokens, d=4]\n"
            "%2 = plus(%1, @layers.0.w) {times=3, unused=0.1} layers.0: : [tokens, d=4]\n"
            "output %2\n");
}

TEST(Text, ErrorsGiveTheLine) {
  const std::string good = small_graph().text();
  const auto broken = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    return message([&] { parse_graph(text, make); });
  };
  EXPECT_TRUE(shows(broken("norm rows", "nurm rows"), {"line 1", "role"}));
  EXPECT_TRUE(shows(broken("rows=0", "rows=7"), {"line 1", "row axes"}));
  EXPECT_TRUE(shows(broken("[d=4] norm", "[=4] norm"), {"line 1", "axis"}));
  EXPECT_TRUE(shows(broken("start(", "stop("), {"line 2", "stop"}));
  EXPECT_TRUE(shows(broken("both(%0", "both(%5"), {"line 3", "%5"}));
  EXPECT_TRUE(
      shows(broken("@layers.0.w) {depth", "@layers.1.w) {depth"), {"line 3", "layers.1.w"}));
  EXPECT_TRUE(shows(broken("times=3", "times=x"), {"line 4", "times", "x"}));
  EXPECT_TRUE(shows(broken("times=3", "tides=3"), {"line 4"}));
  EXPECT_TRUE(shows(broken("%2 = plus", "%1 = plus"), {"line 4", "once"}));
  EXPECT_TRUE(shows(broken("d=4]\n%2", "d=5]\n%2"), {"line 3", "d=4", "d=5"}));
  EXPECT_TRUE(shows(broken("output %2", "output %9"), {"line 5", "%9"}));
  EXPECT_TRUE(shows(broken("output %2\n", ""), {"output"}));
  EXPECT_TRUE(shows(broken("output %2\n", "output %2\noutput %2\n"), {"line 6"}));
  EXPECT_TRUE(shows(broken("output %2", "output %2 x"), {"line 5", "end of the line"}));
}

// Whatever is cut or changed, reading either works or throws an Error.
TEST(Text, BrokenTextNeverAborts) {
  const std::string good = small_graph().text();
  for (size_t i = 0; i <= good.size(); ++i) {
    try {
      parse_graph(std::string_view(good).substr(0, i), make);
    } catch (const Error&) {
    }
    for (const char c : {'%', '@', '[', ']', '9', ' ', '\n', '=', ','}) {
      std::string text = good;
      if (i < text.size()) text[i] = c;
      try {
        parse_graph(text, make);
      } catch (const Error&) {
      }
    }
  }
}

TEST(Workload, VisibleKeysInClosedForm) {
  for (const int64_t window : {0, 1, 3, 8}) {
    for (const int64_t chunk : {0, 1, 4, 7}) {
      for (int64_t first = 0; first < 20; ++first) {
        for (int64_t count = 0; count < 12; ++count) {
          int64_t sum = 0;
          for (int64_t i = first; i < first + count; ++i) sum += visible_keys(i, window, chunk);
          EXPECT_EQ(visible_keys(Workload::prefill(count, first), window, chunk), sum);
        }
      }
    }
  }
  EXPECT_EQ(Workload::decode(100, 3).tokens(), 3);
  EXPECT_EQ(visible_keys(Workload::decode(100, 3), 0, 0), 3 * 101);
}

Graph two_outputs() {
  Builder b;
  const Value x = b.add1(Start{}, {}, "start");
  const Value w = b.param("w", {{"d", 4}}, Role::norm, 0),
              u = b.param("u", {{"d", 4}}, Role::norm, 0);
  const Value y = b.add1(Plus{}, {x, w}, "once");
  b.add1(Plus{.times = 5}, {y, u}, "dead");
  const Value z = b.add1(Plus{.times = 2}, {y, w}, "twice");
  return b.finish(std::vector<NamedValue>{{"z", z}, {"y", y}});
}

TEST(Outputs, HaveNamesAndReadBack) {
  const Graph g = two_outputs();
  ASSERT_EQ(g.outputs().size(), 2u);
  EXPECT_EQ(g.output(), g.output("z"));
  EXPECT_NE(g.output("y"), g.output("z"));
  EXPECT_THROW(g.output("x"), Error);
  EXPECT_NE(g.text().find("output z %"), std::string::npos);
  const Graph read = parse_graph(g.text(), make);
  EXPECT_TRUE(read == g);
  EXPECT_EQ(read.outputs()[1].name, "y");
  std::string twice = g.text();
  twice.replace(twice.find("output y"), 8, "output z");
  EXPECT_THROW(parse_graph(twice, make), Error);
}

TEST(Outputs, AreAllEvaluated) {
  const Graph g = two_outputs();
  const Array<double> one{{4}, {1, 1, 1, 1}, {}};
  const auto y = evaluate_outputs<double>(
      g, [&](const Param&) -> const Array<double>& { return one; }, TokenBatch::whole({0, 0}));
  ASSERT_EQ(y.size(), 2u);
  EXPECT_EQ(y[0].values[4], 1 + 1 + 2);
  EXPECT_EQ(y[1].values[4], 1 + 1);
}

TEST(Outputs, DecideWhatIsPruned) {
  const Graph g = two_outputs(), pruned = g.pruned();
  EXPECT_EQ(pruned.nodes().size(), g.nodes().size() - 1);
  EXPECT_EQ(pruned.param("u"), nullptr);
  EXPECT_NE(pruned.param("w"), nullptr);
  EXPECT_EQ(pruned.outputs().size(), 2u);
  EXPECT_TRUE(pruned.pruned() == pruned);
}

TEST(Place, IsWhatNamesSay) {
  using enum Part;
  const auto forward = [](size_t layer, Part part) { return Place{Pass::forward, layer, part}; };
  EXPECT_EQ(place_of("layers.3.attn.q"), forward(3, attention));
  EXPECT_EQ(place_of("layers.12.attn_norm"), forward(12, norm));
  EXPECT_EQ(place_of("layers.0.attn.q_norm"), forward(0, attention));
  EXPECT_EQ(place_of("layers.0.linear_attn"), forward(0, linear_attention));
  EXPECT_EQ(place_of("layers.0.ffn_residual"), forward(0, residual));
  EXPECT_EQ(place_of("layers.0"), forward(0, residual));
  EXPECT_EQ(place_of("layers.0.ffn.down"), forward(0, ffn));
  EXPECT_EQ(place_of("layers.0.ffn.route"), forward(0, router));
  EXPECT_EQ(place_of("layers.0.ffn.experts.up"), forward(0, experts));
  EXPECT_EQ(place_of("layers.0.ffn.shared.up"), forward(0, shared_experts));
  EXPECT_EQ(place_of("mtp.0.attn.q"), (Place{.part = mtp}));
  EXPECT_EQ(place_of("logits"), (Place{.part = head}));
  EXPECT_EQ(place_of("final_norm"), (Place{.part = norm}));
  EXPECT_EQ(place_of("embedding"), (Place{.part = embedding}));
  EXPECT_EQ(place_of("backward.layers.3.attn.q"), (Place{Pass::backward, 3, attention}));
  EXPECT_EQ(place_of("recomputed.layers.3.ffn.up"), (Place{Pass::recomputed, 3, ffn}));
  EXPECT_EQ(place_of("backwards"), (Place{.part = embedding}));
  EXPECT_EQ(name_in_layer("backward.layers.10.attn.q"), "attn.q");
  EXPECT_EQ(name_in_layer("backward.logits"), "logits");
  EXPECT_EQ(name_in_layer("layers.1"), "");
}

TEST(Place, IsRecordedWithNodesAndParameters) {
  Builder b;
  Scope layer(b, "layers.7");
  const Value w = b.param("attn.q", {{"a", 2}}, Role::projection, 0);
  EXPECT_EQ(b.recorded().params()[w.input.param].place,
            (Place{.layer = 7, .part = Part::attention}));
}

}  // namespace
}  // namespace ashlar
