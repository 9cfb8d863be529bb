// Shares of experts and their derivatives, in double.
#include "ops/router_losses.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "graph/op_model.h"

namespace ashlar {
namespace {

/// p of one token: softmax, or sigmoids over their sum; gates holds the sigmoids themselves.
template <class F, class W>
void shares(const F* z, size_t experts, bool sigmoid, std::vector<W>& p, std::vector<W>& gates) {
  using std::exp;
  W peak = W(z[0]);
  for (size_t i = 1; i < experts; ++i) peak = W(z[i]) > peak ? W(z[i]) : peak;
  W sum = 0;
  for (size_t i = 0; i < experts; ++i) {
    gates[i] = sigmoid ? W(1) / (W(1) + exp(-W(z[i]))) : exp(W(z[i]) - peak);
    sum += gates[i];
  }
  for (size_t i = 0; i < experts; ++i) p[i] = gates[i] / sum;
}
int64_t shares_flops(int64_t experts, bool sigmoid) { return (sigmoid ? 5 : 4) * experts; }

template <class W>
W dot(const std::vector<W>& a, const std::vector<W>& b) {
  W sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// dz of one token for dl/dp = load * factor.
template <class F, class W>
void shares_grad(const std::vector<W>& p, const std::vector<W>& gates, bool sigmoid,
                 const std::vector<W>& load, W factor, F* dz) {
  const W mean = dot(load, p);
  for (size_t i = 0; i < p.size(); ++i) {
    const W d = p[i] * (load[i] - mean) * factor;
    dz[i] = F(sigmoid ? d * (W(1) - gates[i]) : d);
  }
}
int64_t grad_flops(int64_t experts, bool sigmoid) {
  return shares_flops(experts, sigmoid) + (sigmoid ? 7 : 5) * experts + 1;
}
int64_t balance_flops(int64_t experts, bool sigmoid) {
  return shares_flops(experts, sigmoid) + 2 * experts + 2;
}

Axis experts_of(Types in) {
  expect_rows(in[0], "experts", "logits");
  return in[0].axes[1];
}

/// Logits and a load of each expert.
void expect_load(Types in) {
  const Axis experts = experts_of(in);
  expect_weight(in[1], "load");
  expect_axes(in[1].axes, {experts}, "load");
}

/// One number: the gradient of a loss.
void expect_number(const Type& type, std::string_view what) {
  expect_weight(type, what);
  expect_axes(type.axes, {}, what);
}

void expect_chosen(const Type& type) {
  expect_kind(type, Kind::index, "experts");
  if (type.axes.size() != 2 || !type.per_token())
    shape_error("experts: expected index [tokens, chosen], found " + to_string(type));
}

/// Loads of one sequence, and its tokens.
struct SequenceLoad {
  std::vector<int64_t> counts;
  std::vector<size_t> tokens;
};
std::map<int32_t, SequenceLoad> loads_of(const TokenBatch& batch,
                                         const std::vector<int64_t>& chosen, size_t k,
                                         size_t experts) {
  std::map<int32_t, SequenceLoad> loads;
  for (size_t t = 0; t < batch.sequences.size(); ++t) {
    SequenceLoad& s = loads[batch.sequences[t]];
    s.counts.resize(experts);
    s.tokens.push_back(t);
    for (size_t i = 0; i < k; ++i) {
      const int64_t e = chosen[t * k + i];
      if (e < 0 || e >= static_cast<int64_t>(experts))
        fail(ErrorKind::invalid, "expert {}: expected 0 to {}", e, experts - 1);
      ++s.counts[static_cast<size_t>(e)];
    }
  }
  return loads;
}

template <class W>
std::vector<W> per_token(const SequenceLoad& s) {
  std::vector<W> load;
  for (const int64_t c : s.counts)
    load.push_back(W(static_cast<double>(c) / static_cast<double>(s.tokens.size())));
  return load;
}

template <class W, class F>
std::vector<W> widened(const std::vector<F>& values) {
  std::vector<W> wide;
  for (const F& v : values) wide.push_back(W(v));
  return wide;
}

}  // namespace

std::vector<Type> ExpertLoad::types(Types in) const {
  expect_inputs(in, 1, 1);
  expect_chosen(in[0]);
  if (experts < 1) shape_error("experts: expected at least 1, found " + std::to_string(experts));
  return {{Kind::real, {{"experts", experts}}}};
}
int64_t ExpertLoad::flops(Types, const Workload&) const { return 0; }
std::vector<Value> ExpertLoad::derivative(Builder&, Values, Values, Values) const {
  return {{}};  // choices are constant
}
template <class F>
void ExpertLoad::meaning(const In<F>& in, Out<F>& out) const {
  std::vector<int64_t> counts(static_cast<size_t>(experts));
  for (const int64_t e : in[0].indices) {
    if (e < 0 || e >= experts)
      fail(ErrorKind::invalid, "expert {}: expected 0 to {}", e, experts - 1);
    ++counts[static_cast<size_t>(e)];
  }
  const auto tokens = static_cast<double>(std::max<int64_t>(1, in.batch.size()));
  for (size_t i = 0; i < counts.size(); ++i)
    out[0].values[i] = F(static_cast<double>(counts[i]) / tokens);
}

std::vector<Type> RouterBalance::types(Types in) const {
  expect_inputs(in, 2, 2);
  expect_load(in);
  return {{Kind::real, {}}};
}
int64_t RouterBalance::flops(Types in, const Workload& load) const {
  const int64_t experts = in[0].axes[1].size;
  return load.tokens() * balance_flops(experts, sigmoid);
}
std::vector<Value> RouterBalance::derivative(Builder& b, Values in, Values, Values dy) const {
  return b.add(RouterBalanceGrad{sigmoid}, {in[0], in[1], dy[0]});
}
template <class F>
void RouterBalance::meaning(const In<F>& in, Out<F>& out) const {
  using W = Wide<F>;
  const auto experts = static_cast<size_t>(in[0].sizes[1]);
  std::vector<W> p(experts), gates(experts);
  const std::vector<W> load = widened<W>(in[1].values);
  const double weight = static_cast<double>(experts) / static_cast<double>(in.batch.size());
  W loss = 0;
  for (size_t t = 0; t < static_cast<size_t>(in.batch.size()); ++t) {
    shares(in[0].values.data() + t * experts, experts, sigmoid, p, gates);
    loss += dot(load, p) * W(weight);
  }
  out[0].values[0] = F(loss);
}

std::vector<Type> RouterBalanceGrad::types(Types in) const {
  expect_inputs(in, 3, 3);
  expect_load(in);
  expect_number(in[2], "dl");
  return {in[0], in[1]};
}
int64_t RouterBalanceGrad::flops(Types in, const Workload& load) const {
  const int64_t experts = in[0].axes[1].size;
  return load.tokens() * (grad_flops(experts, sigmoid) + 2 * experts);
}
template <class F>
void RouterBalanceGrad::meaning(const In<F>& in, Out<F>& out) const {
  using W = Wide<F>;
  const auto experts = static_cast<size_t>(in[0].sizes[1]);
  std::vector<W> p(experts), gates(experts), dload(experts);
  const std::vector<W> load = widened<W>(in[1].values);
  const double weight = static_cast<double>(experts) / static_cast<double>(in.batch.size());
  for (size_t t = 0; t < static_cast<size_t>(in.batch.size()); ++t) {
    shares(in[0].values.data() + t * experts, experts, sigmoid, p, gates);
    const W factor = W(in[2].values[0]) * W(weight);
    shares_grad(p, gates, sigmoid, load, factor, out[0].values.data() + t * experts);
    for (size_t i = 0; i < experts; ++i) dload[i] += p[i] * factor;
  }
  for (size_t i = 0; i < experts; ++i) out[1].values[i] = F(dload[i]);
}

std::vector<Type> SequenceBalance::types(Types in) const {
  expect_inputs(in, 2, 2);
  experts_of(in);
  expect_chosen(in[1]);
  return {{Kind::real, {}}};
}
int64_t SequenceBalance::flops(Types in, const Workload& load) const {
  const int64_t experts = in[0].axes[1].size;
  return load.tokens() * balance_flops(experts, sigmoid);
}
std::vector<Value> SequenceBalance::derivative(Builder& b, Values in, Values, Values dy) const {
  return {b.add1(SequenceBalanceGrad{sigmoid}, {in[0], in[1], dy[0]}), {}};
}
template <class F>
void SequenceBalance::meaning(const In<F>& in, Out<F>& out) const {
  using W = Wide<F>;
  const auto experts = static_cast<size_t>(in[0].sizes[1]), k = static_cast<size_t>(in[1].sizes[1]);
  std::vector<W> p(experts), gates(experts);
  const auto loads = loads_of(in.batch, in[1].indices, k, experts);
  W loss = 0;
  for (const auto& [id, s] : loads) {
    const std::vector<W> load = per_token<W>(s);
    const double weight =
        static_cast<double>(experts) / static_cast<double>(s.tokens.size() * loads.size());
    for (const size_t t : s.tokens) {
      shares(in[0].values.data() + t * experts, experts, sigmoid, p, gates);
      loss += dot(load, p) * W(weight);
    }
  }
  out[0].values[0] = F(loss);
}

std::vector<Type> SequenceBalanceGrad::types(Types in) const {
  expect_inputs(in, 3, 3);
  experts_of(in);
  expect_chosen(in[1]);
  expect_number(in[2], "dl");
  return {in[0]};
}
int64_t SequenceBalanceGrad::flops(Types in, const Workload& load) const {
  return load.tokens() * grad_flops(in[0].axes[1].size, sigmoid);
}
template <class F>
void SequenceBalanceGrad::meaning(const In<F>& in, Out<F>& out) const {
  using W = Wide<F>;
  const auto experts = static_cast<size_t>(in[0].sizes[1]), k = static_cast<size_t>(in[1].sizes[1]);
  std::vector<W> p(experts), gates(experts);
  const auto loads = loads_of(in.batch, in[1].indices, k, experts);
  for (const auto& [id, s] : loads) {
    const std::vector<W> load = per_token<W>(s);
    const double weight =
        static_cast<double>(experts) / static_cast<double>(s.tokens.size() * loads.size());
    for (const size_t t : s.tokens) {
      shares(in[0].values.data() + t * experts, experts, sigmoid, p, gates);
      const W factor = W(in[2].values[0]) * W(weight);
      shares_grad(p, gates, sigmoid, load, factor, out[0].values.data() + t * experts);
    }
  }
}

ASHLAR_OP(ExpertLoad)
ASHLAR_OP(RouterBalance)
ASHLAR_OP(RouterBalanceGrad)
ASHLAR_OP(SequenceBalance)
ASHLAR_OP(SequenceBalanceGrad)

}  // namespace ashlar
