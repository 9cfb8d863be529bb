// Every op's derivative, recorded as graph, against central finite differences of its meaning.
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "ops/all.h"
#include "ops/backward.h"
#include "support/op_inputs.h"

namespace ashlar::testing {
namespace {

/// Ops that stand in backward passes only or that nothing is computed from: their own derivatives
/// are not known.
bool gradient_only(std::string_view op) {
  return op.ends_with("_grad") || op == "token_sum" || op == "mean_square" ||
         op == "score_statistics";
}

struct Case {
  const OpEntry* entry;
  size_t sample;
};

std::vector<Case> cases(bool composites_only) {
  std::vector<Case> all;
  for (const OpEntry& e : all_ops()) {
    if (gradient_only(e.doc->name)) continue;
    const auto samples = e.samples();
    for (size_t i = 0; i < samples.size(); ++i) {
      if (!composites_only || samples[i].op.composite()) all.push_back({&e, i});
    }
  }
  return all;
}

/// An op between given inputs, with its derivative under given gradients of its results.
class Harness {
 public:
  Harness(const Op& op, const std::vector<Type>& types, TokenBatch batch, bool by_expansion)
      : op_(op), types_(types), results_(op.types(types)), batch_(std::move(batch)) {
    for (size_t i = 0; i < types.size(); ++i)
      inputs_.push_back(filled<double>(types[i], batch_, i + 1));
    for (size_t r = 0; r < results_.size(); ++r)
      seeds_.push_back(filled<double>(results_[r], batch_, 101 + r));
    record(by_expansion);
  }

  /// sum over all real results of seed times result, with the inputs as they are now.
  double objective() const {
    Builder b;
    const std::vector<Value> out = b.add(op_, values(b), "op");
    std::vector<NamedValue> named;
    for (size_t r = 0; r < out.size(); ++r) named.push_back({std::to_string(r), out[r]});
    const auto y = evaluate_outputs<double>(b.finish(named), params(), batch_);
    double sum = 0;
    for (size_t r = 0; r < y.size(); ++r) {
      for (size_t i = 0; i < y[r].values.size(); ++i) sum += seeds_[r].values[i] * y[r].values[i];
    }
    return sum;
  }

  /// Gradient of the objective for each input; empty where the op says that there is none.
  const std::vector<Array<double>>& gradients() const { return gradients_; }
  std::vector<Array<double>>& inputs() { return inputs_; }

 private:
  ParamValues<double> params() const {
    return [this](const Param& p) -> const Array<double>& {
      return (p.name[0] == 'p' ? inputs_ : seeds_)[std::stoul(p.name.substr(1))];
    };
  }
  Value value(Builder& b, const Type& type, const Array<double>& numbers,
              const std::string& name) const {
    if (!type.per_token()) return b.param(name, type.axes, Role::projection, 0);
    return b.add1(Placeholder::make(type, 0, std::make_shared<Array<double>>(numbers)), {});
  }
  std::vector<Value> values(Builder& b) const {
    std::vector<Value> in;
    for (size_t i = 0; i < types_.size(); ++i)
      in.push_back(value(b, types_[i], inputs_[i], "p" + std::to_string(i)));
    return in;
  }
  void record(bool by_expansion) {
    Builder b;
    const std::vector<Value> in = values(b);
    std::vector<Value> dy;
    for (size_t r = 0; r < results_.size(); ++r) {
      dy.push_back(results_[r].kind == Kind::index
                       ? Value{}
                       : value(b, results_[r], seeds_[r], "s" + std::to_string(r)));
    }
    std::vector<Value> d;
    const size_t begin = b.recorded().nodes().size();
    const std::vector<Value> out = by_expansion ? op_.expand(b, in) : b.add(op_, in, "op");
    if (by_expansion) {
      Backward backward(b);
      for (size_t r = 0; r < out.size(); ++r) backward.add(out[r], dy[r]);
      backward.run(begin, b.recorded().nodes().size(), "back");
      for (const Value& v : in) d.push_back(backward.gradient(v));
    } else {
      d = derivative(b, op_, in, out, dy);
    }
    gradients_.resize(types_.size());
    ASSERT_EQ(d.size(), types_.size());
    std::vector<NamedValue> named;
    for (size_t i = 0; i < d.size(); ++i) {
      if (!d[i].exists()) continue;
      EXPECT_EQ(d[i].type(), types_[i]) << "gradient of input " << i;
      // A gradient may be one of the seeds itself, which a graph cannot give out when it is a
      // parameter.
      if (d[i].input.is_param()) {
        gradients_[i] = seeds_[0];
        continue;
      }
      named.push_back({std::to_string(i), d[i]});
    }
    if (named.empty()) return;
    const auto y = evaluate_outputs<double>(b.finish(named).pruned(), params(), batch_);
    for (size_t i = 0; i < named.size(); ++i) gradients_[std::stoul(named[i].name)] = y[i];
  }

  Op op_;
  std::vector<Type> types_, results_;
  TokenBatch batch_;
  std::vector<Array<double>> inputs_, seeds_, gradients_;
};

class EveryDerivative : public ::testing::TestWithParam<Case> {
 protected:
  OpSample sample() const { return GetParam().entry->samples()[GetParam().sample]; }
  static void check(Harness& h, const OpSample& s) {
    constexpr double kStep = 1e-5;
    for (size_t i = 0; i < s.inputs.size(); ++i) {
      const Array<double>& d = h.gradients()[i];
      if (s.inputs[i].kind == Kind::index) {
        EXPECT_TRUE(d.values.empty()) << "gradient of indices";
        continue;
      }
      for (size_t k = 0; k < h.inputs()[i].values.size(); ++k) {
        double& x = h.inputs()[i].values[k];
        const double at = x;
        x = at + kStep;
        const double above = h.objective();
        x = at - kStep;
        const double below = h.objective();
        x = at;
        const double slope = (above - below) / (2 * kStep);
        EXPECT_NEAR(d.values.empty() ? 0.0 : d.values[k], slope, 1e-7 * (1 + std::abs(slope)))
            << "input " << i << ", element " << k;
      }
    }
  }
};

TEST_P(EveryDerivative, IsTheFiniteDifference) {
  const OpSample s = sample();
  Harness h(s.op, s.inputs, batch_of({{{0, 6}, {0, 1}, {0, 3}}}, true), false);
  check(h, s);
}

// A composite that states its own derivative says the same as its expansion.
class CompositeDerivative : public EveryDerivative {};
TEST_P(CompositeDerivative, IsThatOfTheExpansion) {
  const OpSample s = sample();
  const TokenBatch batch = batch_of({{{0, 6}, {0, 1}, {0, 3}}}, true);
  Harness own(s.op, s.inputs, batch, false), expanded(s.op, s.inputs, batch, true);
  for (size_t i = 0; i < s.inputs.size(); ++i) {
    const std::vector<double>&a = own.gradients()[i].values, &b = expanded.gradients()[i].values;
    ASSERT_EQ(a.size(), b.size());
    for (size_t k = 0; k < a.size(); ++k) EXPECT_NEAR(a[k], b[k], 1e-12 * (1 + std::abs(a[k])));
  }
}

std::string name_of(const ::testing::TestParamInfo<Case>& c) {
  return std::string(c.param.entry->doc->name) + "_" + std::to_string(c.param.sample);
}
INSTANTIATE_TEST_SUITE_P(AllOps, EveryDerivative, ::testing::ValuesIn(cases(false)), name_of);
INSTANTIATE_TEST_SUITE_P(AllOps, CompositeDerivative, ::testing::ValuesIn(cases(true)), name_of);

// An op either states its derivative, or has it from its expansion, or belongs to a gradient.
TEST(Derivatives, ExistForAllButGradients) {
  for (const OpEntry& e : all_ops()) {
    for (const OpSample& s : e.samples()) {
      EXPECT_EQ(s.op.has_derivative(), !gradient_only(e.doc->name)) << e.doc->name;
    }
  }
}

TEST(Derivatives, AreRefusedWhereTheyAreUnknown) {
  Builder b;
  const Type x{Kind::real, {tokens_axis(), {"d", 4}}};
  const Value v = b.add1(Placeholder::make(x, 1, nullptr), {});
  const Value y = b.add1(TokenSum{}, {v});
  const std::vector<Value> in{v}, out{y};
  EXPECT_THROW(derivative(b, TokenSum{}, in, out, out), Error);
}

/// A composite without a derivative of its own: x y + x.
class Mixed final : public Op::Interface {
 public:
  const OpDoc& doc() const override {
    static constexpr OpDoc kDoc{"mixed", "z = x y + x", "x y", "z", ""};
    return kDoc;
  }
  std::vector<Attribute> attributes() const override { return {}; }
  std::vector<Type> types(std::span<const Type> in) const override { return {in[0]}; }
  int64_t flops(std::span<const Type>, const Workload&) const override { return 0; }
  bool composite() const override { return true; }
  std::vector<Value> expand(Builder& b, std::span<const Value> in) const override {
    return {b.add1(Add{}, {b.add1(Multiply{}, {in[0], in[1]}), in[0]})};
  }
  bool has_derivative() const override { return false; }
  std::vector<Value> derivative(Builder&, std::span<const Value>, std::span<const Value>,
                                std::span<const Value>) const override {
    no_derivative("mixed");
  }
  void meaning(const In<float>&, Out<float>&) const override {}
  void meaning(const In<double>&, Out<double>&) const override {}
  void meaning(const In<Counted>&, Out<Counted>&) const override {}
  const std::type_info& type() const override { return typeid(Mixed); }
  const void* get() const override { return this; }
};

TEST(Derivatives, OfACompositeFollowFromItsExpansion) {
  const Op op(std::shared_ptr<const Op::Interface>(std::make_shared<Mixed>()));
  const Type x{Kind::real, {tokens_axis(), {"d", 3}}};
  const TokenBatch batch = batch_of({{{0, 4}}});
  Harness h(op, {x, x}, batch, false);
  const Array<double> dz = filled<double>(x, batch, 101);
  for (size_t i = 0; i < dz.values.size(); ++i) {
    EXPECT_NEAR(h.gradients()[0].values[i], dz.values[i] * (h.inputs()[1].values[i] + 1), 1e-15);
    EXPECT_NEAR(h.gradients()[1].values[i], dz.values[i] * h.inputs()[0].values[i], 1e-15);
  }
}

}  // namespace
}  // namespace ashlar::testing
