// Shares of experts and their derivatives, in double.
#include "ops/router_losses.h"

#include <algorithm>

#include "graph/op_model.h"
#include "ops/sequences.h"
#include "ops/types.h"

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

/// Logits and a load of each expert.
void expect_load(Types in) {
  expect_rows(in[0], "experts", "logits");
  expect_weight(in[1], "load");
  expect_axes(in[1].axes, {in[0].axes[1]}, "load");
}

/// One number: the gradient of a loss.
void expect_number(const Type& type, std::string_view what) {
  expect_weight(type, what);
  expect_axes(type.axes, {}, what);
}

void expect_chosen(const Type& type) {
  expect_kind(type, Kind::index, "experts");
  expect_form(type, "index [tokens, chosen]", "experts");
}

/// How often each expert is among the chosen.
std::vector<int64_t> counts_of(const std::vector<int64_t>& chosen, int64_t experts) {
  std::vector<int64_t> counts(static_cast<size_t>(experts));
  for (const int64_t e : chosen) ++counts[static_cast<size_t>(checked_row(e, experts, "expert"))];
  return counts;
}

/// Tokens whose loads are counted together, and their weight in the loss.
template <class W>
struct Balanced {
  std::vector<int64_t> tokens;
  std::vector<W> load;
  W weight;
};

template <class F>
std::vector<Balanced<Wide<F>>> whole_batch(const In<F>& in) {
  const auto tokens = static_cast<double>(in.batch.size());
  Balanced<Wide<F>> all{{}, {}, static_cast<double>(in[0].sizes[1]) / tokens};
  for (int64_t t = 0; t < in.batch.size(); ++t) all.tokens.push_back(t);
  all.load.assign(in[1].values.begin(), in[1].values.end());
  return {all};
}

template <class F>
std::vector<Balanced<Wide<F>>> by_sequence(const In<F>& in) {
  const int64_t experts = in[0].sizes[1], k = in[1].sizes[1];
  const auto sequences = rows_by_sequence(in.batch);
  std::vector<Balanced<Wide<F>>> all;
  for (const auto& [id, rows] : sequences) {
    std::vector<int64_t> chosen;
    for (const int64_t t : rows) {
      const auto of_token = in[1].indices.begin() + t * k;
      chosen.insert(chosen.end(), of_token, of_token + k);
    }
    const double weight =
        static_cast<double>(experts) / static_cast<double>(rows.size() * sequences.size());
    all.push_back({rows, {}, weight});
    for (const int64_t c : counts_of(chosen, experts))
      all.back().load.push_back(static_cast<double>(c) / static_cast<double>(rows.size()));
  }
  return all;
}

template <class F>
F balance_loss(const In<F>& in, bool sigmoid, const std::vector<Balanced<Wide<F>>>& parts) {
  const int64_t experts = in[0].sizes[1];
  std::vector<Wide<F>> p(static_cast<size_t>(experts)), gates(p.size());
  Wide<F> loss = 0;
  for (const auto& part : parts) {
    for (const int64_t t : part.tokens) {
      shares(in[0].values.data() + t * experts, p.size(), sigmoid, p, gates);
      loss += dot(part.load, p) * part.weight;
    }
  }
  return F(loss);
}

/// The gradients of the logits and, where it is wanted, of the load.
template <class F>
void balance_grad(const In<F>& in, bool sigmoid, const std::vector<Balanced<Wide<F>>>& parts,
                  Out<F>& out) {
  const int64_t experts = in[0].sizes[1];
  std::vector<Wide<F>> p(static_cast<size_t>(experts)), gates(p.size()), dload(p.size());
  const size_t loads = out.size() > 1 ? p.size() : 0;
  for (const auto& part : parts) {
    for (const int64_t t : part.tokens) {
      shares(in[0].values.data() + t * experts, p.size(), sigmoid, p, gates);
      const Wide<F> factor = Wide<F>(in[2].values[0]) * part.weight;
      shares_grad(p, gates, sigmoid, part.load, factor, out[0].values.data() + t * experts);
      for (size_t i = 0; i < loads; ++i) dload[i] += p[i] * factor;
    }
  }
  for (size_t i = 0; i < loads; ++i) out[1].values[i] = F(dload[i]);
}

}  // namespace

std::vector<Type> ExpertLoad::types(Types in) const {
  expect_inputs(in, 1, 1);
  expect_chosen(in[0]);
  if (experts < 1) shape_error("experts: expected at least 1, found " + std::to_string(experts));
  return {{Kind::real, {{"experts", experts}}}};
}
std::vector<Value> ExpertLoad::derivative(Builder&, Values, Values, Values) const {
  return {{}};  // choices are constant
}
template <class F>
void ExpertLoad::meaning(const In<F>& in, Out<F>& out) const {
  const std::vector<int64_t> counts = counts_of(in[0].indices, experts);
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
  return load.tokens() * balance_flops(in[0].axes[1].size, sigmoid);
}
std::vector<Value> RouterBalance::derivative(Builder& b, Values in, Values, Values dy) const {
  return b.add(RouterBalanceGrad{*this}, {in[0], in[1], dy[0]});
}
template <class F>
void RouterBalance::meaning(const In<F>& in, Out<F>& out) const {
  out[0].values[0] = balance_loss(in, sigmoid, whole_batch(in));
}

std::vector<Type> RouterBalanceGrad::types(Types in) const {
  expect_inputs(in, 3, 3);
  expect_load(in);
  expect_number(in[2], "dl");
  return {in[0], in[1]};
}
int64_t RouterBalanceGrad::flops(Types in, const Workload& load) const {
  const int64_t experts = in[0].axes[1].size;
  return load.tokens() * (grad_flops(experts, forward.sigmoid) + 2 * experts);
}
template <class F>
void RouterBalanceGrad::meaning(const In<F>& in, Out<F>& out) const {
  balance_grad(in, forward.sigmoid, whole_batch(in), out);
}

std::vector<Type> SequenceBalance::types(Types in) const {
  expect_inputs(in, 2, 2);
  expect_rows(in[0], "experts", "logits");
  expect_chosen(in[1]);
  return {{Kind::real, {}}};
}
int64_t SequenceBalance::flops(Types in, const Workload& load) const {
  return load.tokens() * balance_flops(in[0].axes[1].size, sigmoid);
}
std::vector<Value> SequenceBalance::derivative(Builder& b, Values in, Values, Values dy) const {
  return {b.add1(SequenceBalanceGrad{*this}, {in[0], in[1], dy[0]}), {}};
}
template <class F>
void SequenceBalance::meaning(const In<F>& in, Out<F>& out) const {
  out[0].values[0] = balance_loss(in, sigmoid, by_sequence(in));
}

std::vector<Type> SequenceBalanceGrad::types(Types in) const {
  expect_inputs(in, 3, 3);
  expect_rows(in[0], "experts", "logits");
  expect_chosen(in[1]);
  expect_number(in[2], "dl");
  return {in[0]};
}
int64_t SequenceBalanceGrad::flops(Types in, const Workload& load) const {
  return load.tokens() * grad_flops(in[0].axes[1].size, forward.sigmoid);
}
template <class F>
void SequenceBalanceGrad::meaning(const In<F>& in, Out<F>& out) const {
  balance_grad(in, forward.sigmoid, by_sequence(in), out);
}

ASHLAR_OP(ExpertLoad)
ASHLAR_OP(RouterBalance)
ASHLAR_OP(RouterBalanceGrad)
ASHLAR_OP(SequenceBalance)
ASHLAR_OP(SequenceBalanceGrad)

}  // namespace ashlar
