// Routing in plain loops; gated activations and experts as expansions.
#include "ops/experts.h"

#include <algorithm>
#include <numeric>

#include "graph/op_model.h"
#include "ops/elementwise.h"
#include "ops/elementwise_grad.h"
#include "ops/experts_grad.h"
#include "ops/linear.h"
#include "ops/route_scores.h"
#include "ops/types.h"

namespace ashlar {

namespace {

int64_t gate_operations(GateKind kind) {
  static constexpr int64_t kOperations[] = {5, 10, 7};
  return entry_of(kOperations, kind);
}

}  // namespace

std::vector<Type> Gated::types(Types in) const {
  expect_inputs(in, 2, 2);
  expect_kind(in[0], Kind::real, "gate");
  expect_kind(in[1], Kind::real, "up");
  expect_per_token(in[0], "gate");
  expect_axes(in[1].axes, in[0].axes, "up against gate");
  return {in[0]};
}

int64_t Gated::flops(Types in, const Workload& load) const {
  return load.tokens() * in[0].feature_count() * gate_operations(kind);
}

std::vector<Value> Gated::expand(Builder& b, Values in) const {
  if (kind != GateKind::clamped) {
    const auto f = kind == GateKind::silu ? ActivationKind::silu : ActivationKind::gelu_tanh;
    return {b.add1(Multiply{}, {b.add1(Activate{.kind = f}, {in[0]}), in[1]})};
  }
  const Value g = b.add1(Clamp{.high = limit}, {in[0]});
  const Value up =
      b.add1(Scale{.shift = 1}, {b.add1(Clamp{.low = -limit, .high = limit}, {in[1]})});
  const Value s =
      b.add1(Activate{.kind = ActivationKind::sigmoid}, {b.add1(Scale{.factor = alpha}, {g})});
  return {b.add1(Multiply{}, {up, b.add1(Multiply{}, {g, s})})};
}

std::vector<Type> Route::types(Types in) const {
  expect_inputs(in, 1, 2);
  expect_rows(in[0], "experts", "logits");
  const Axis experts = in[0].axes[1];
  if (in.size() == 2) {
    expect_weight(in[1], "bias");
    expect_axes(in[1].axes, {experts}, "bias");
  }
  if (top_k < 1 || top_k > experts.size) {
    shape_error("top_k: expected 1 to " + std::to_string(experts.size) + ", found " +
                std::to_string(top_k));
  }
  if (groups < 1 || experts.size % groups != 0 || keep_groups < 1 || keep_groups > groups ||
      keep_groups * (experts.size / groups) < top_k) {
    shape_error(std::to_string(groups) + " groups of which " + std::to_string(keep_groups) +
                " are kept do not fit " + std::to_string(experts.size) + " experts and top_k " +
                std::to_string(top_k));
  }
  if (score == RouteScore::sparsemixer && (in.size() == 2 || groups > 1))
    shape_error("sparsemixer: expected one group and no correction bias");
  const Axes chosen{tokens_axis(), {"chosen", top_k}};
  return {{Kind::real, chosen}, {Kind::index, chosen}};
}

int64_t Route::flops(Types in, const Workload& load) const {
  const int64_t experts = in[0].axes[1].size;
  const int64_t of_score[] = {4 * experts,  // softmax: subtract, exp, add; divide
                              3 * experts, 4 * top_k, 6 * top_k * experts};
  int64_t n = entry_of(of_score, score) + (softcap > 0 ? 3 * experts : 0);
  if (in.size() == 2) n += experts;
  if (groups > 1 && group_score == GroupScore::top2_sum) n += groups;
  if (normalize) n += 2 * top_k + 1;
  if (scale != 1) n += top_k;
  return load.tokens() * n;
}

std::vector<Value> Route::derivative(Builder& b, Values in, Values out, Values dy) const {
  std::vector<Value> d{b.add1(RouteGrad{*this}, {in[0], out[1], dy[0]})};
  if (in.size() == 2) d.emplace_back();  // the correction bias only chooses
  return d;
}

template <class F>
void Route::meaning(const In<F>& in, Out<F>& out) const {
  using W = Wide<F>;
  const auto experts = static_cast<size_t>(in[0].sizes[1]);
  const auto k = static_cast<size_t>(top_k);
  RouteScores<W> s;
  std::vector<W> choice(experts);
  std::vector<size_t> order(experts);
  for (size_t t = 0; t < static_cast<size_t>(in.batch.size()); ++t) {
    s.take(*this, in[0].values.data() + t * experts, experts);
    for (size_t e = 0; e < experts; ++e)
      choice[e] = in.size() == 2 ? s.scores[e] + W(in[1].values[e]) : s.scores[e];
    if (by_logits(in.size() == 2)) {
      for (size_t e = 0; e < experts; ++e) choice[e] = in[0].values[t * experts + e];
    }
    std::vector<bool> allowed(experts, true);
    if (groups > 1) {
      const size_t size = experts / static_cast<size_t>(groups);
      std::vector<W> best(static_cast<size_t>(groups));
      std::vector<size_t> ranked(static_cast<size_t>(groups));
      std::iota(ranked.begin(), ranked.end(), size_t{0});
      for (size_t g = 0; g < best.size(); ++g) {
        W first = choice[g * size], second = W(-1e30);
        for (size_t i = 1; i < size; ++i) {
          const W v = choice[g * size + i];
          if (v > first) {
            second = first;
            first = v;
          } else if (v > second) {
            second = v;
          }
        }
        best[g] = group_score == GroupScore::max ? first : first + second;
      }
      std::stable_sort(ranked.begin(), ranked.end(),
                       [&](size_t a, size_t b) { return best[a] > best[b]; });
      for (size_t r = static_cast<size_t>(keep_groups); r < ranked.size(); ++r) {
        for (size_t i = 0; i < size; ++i) allowed[ranked[r] * size + i] = false;
      }
    }
    order.clear();
    for (size_t e = 0; e < experts; ++e) {
      if (allowed[e]) order.push_back(e);
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return choice[a] > choice[b]; });
    order.resize(k);
    s.choose(*this, order);
    std::vector<W>& w = s.chosen;
    if (normalize) {
      W sum = 0;
      for (const W& v : w) sum += v;
      sum += W(1e-20);
      for (W& v : w) v /= sum;
    }
    for (size_t i = 0; i < k; ++i) {
      if (scale != 1) w[i] *= W(scale);
      out[0].values[t * k + i] = F(w[i]);
      out[1].indices[t * k + i] = static_cast<int64_t>(order[i]);
    }
  }
}

namespace {

void expect_chosen(const Type& weights) { expect_rows(weights, "chosen", "weights"); }

}  // namespace

std::vector<Type> WeightedSum::types(Types in) const {
  expect_inputs(in, 2, 2);
  expect_chosen(in[0]);
  expect_kind(in[1], Kind::real, "x");
  if (in[1].axes.size() != 3)
    shape_error("x: expected [tokens, chosen, d], found " + to_string(in[1]));
  expect_axes({in[1].axes[0], in[1].axes[1]}, in[0].axes, "x against weights");
  return {{Kind::real, {tokens_axis(), in[1].axes[2]}}};
}

int64_t WeightedSum::flops(Types in, const Workload& load) const {
  return load.tokens() * 2 * in[1].feature_count();
}

std::vector<Value> WeightedSum::derivative(Builder& b, Values in, Values, Values dy) const {
  return {b.add1(ChosenDot{}, {in[1], dy[0]}), b.add1(WeightedCopies{}, {in[0], dy[0]})};
}

template <class F>
void WeightedSum::meaning(const In<F>& in, Out<F>& out) const {
  using W = Wide<F>;
  const int64_t k = in[0].sizes[1], d = in[1].sizes[2];
  for (int64_t t = 0; t < in.batch.size(); ++t) {
    for (int64_t j = 0; j < d; ++j) {
      W sum = 0;
      for (int64_t i = 0; i < k; ++i) {
        sum += W(in[0].values[static_cast<size_t>(t * k + i)]) *
               W(in[1].values[static_cast<size_t>((t * k + i) * d + j)]);
      }
      out[0].values[static_cast<size_t>(t * d + j)] = F(sum);
    }
  }
}

std::vector<Type> WeightedCopies::types(Types in) const {
  expect_inputs(in, 2, 2);
  expect_chosen(in[0]);
  expect_rows(in[1], "d", "x");
  return {{Kind::real, {tokens_axis(), in[0].axes[1], in[1].axes[1]}}};
}

int64_t WeightedCopies::flops(Types in, const Workload& load) const {
  return load.tokens() * in[0].axes[1].size * in[1].feature_count();
}

std::vector<Value> WeightedCopies::derivative(Builder& b, Values in, Values, Values dy) const {
  return {b.add1(ChosenDot{}, {dy[0], in[1]}), b.add1(WeightedSum{}, {in[0], dy[0]})};
}

template <class F>
void WeightedCopies::meaning(const In<F>& in, Out<F>& out) const {
  const int64_t k = in[0].sizes[1], d = in[1].sizes[1];
  for (int64_t t = 0; t < in.batch.size(); ++t) {
    for (int64_t i = 0; i < k; ++i) {
      const F w = in[0].values[static_cast<size_t>(t * k + i)];
      for (int64_t j = 0; j < d; ++j)
        out[0].values[static_cast<size_t>((t * k + i) * d + j)] =
            w * in[1].values[static_cast<size_t>(t * d + j)];
    }
  }
}

std::vector<Type> ExpertSum::types(Types in) const {
  expect_inputs(in, 1, 1);
  expect_kind(in[0], Kind::real, "x");
  if (in[0].axes.size() < 2 || !in[0].per_token())
    shape_error("x: expected [tokens, chosen, d...], found " + to_string(in[0]));
  Type y = in[0];
  y.axes.erase(y.axes.begin() + 1);
  return {y};
}

int64_t ExpertSum::flops(Types in, const Workload& load) const {
  return load.tokens() * in[0].feature_count();
}

std::vector<Value> ExpertSum::derivative(Builder& b, Values in, Values, Values dy) const {
  const Axis summed = in[0].type().axes[1];
  return {b.add1(Repeat{.axis = summed.name, .count = summed.size}, {dy[0]})};
}

template <class F>
void ExpertSum::meaning(const In<F>& in, Out<F>& out) const {
  const int64_t k = in[0].sizes[1], d = in[0].inner(in[0].sizes.size() - 2);
  for (int64_t t = 0; t < in.batch.size(); ++t) {
    for (int64_t j = 0; j < d; ++j) {
      Wide<F> sum = 0;
      for (int64_t i = 0; i < k; ++i)
        sum += Wide<F>(in[0].values[static_cast<size_t>((t * k + i) * d + j)]);
      out[0].values[static_cast<size_t>(t * d + j)] = F(sum);
    }
  }
}

std::vector<Type> ExpertFfn::types(Types in) const {
  if (in.size() != 6 && in.size() != 9)
    shape_error("expected 6 inputs, or 9 with biases, found " + std::to_string(in.size()));
  expect_kind(in[0], Kind::real, "x");
  for (size_t i = 3; i < in.size(); ++i) expect_weight(in[i], "the experts' weights");
  expect_form(in[0], "[tokens, d]", "x");
  expect_chosen(in[1]);
  expect_kind(in[2], Kind::index, "experts");
  expect_axes(in[2].axes, in[1].axes, "experts against weights");
  const Axis d = in[0].axes[1];
  expect_form(in[3], "[experts, ffn, d]", "gate");
  const Axis experts = in[3].axes[0], ffn = in[3].axes[1];
  expect_axes(in[3].axes, {experts, ffn, d}, "gate");
  expect_axes(in[4].axes, {experts, ffn, d}, "up");
  expect_axes(in[5].axes, {experts, d, ffn}, "down");
  if (in.size() == 9) {
    expect_axes(in[6].axes, {experts, ffn}, "gate_bias");
    expect_axes(in[7].axes, {experts, ffn}, "up_bias");
    expect_axes(in[8].axes, {experts, d}, "down_bias");
  }
  return {in[0]};
}

int64_t ExpertFfn::flops(Types in, const Workload& load) const {
  const int64_t k = in[1].axes[1].size, d = in[0].axes[1].size, ffn = in[3].axes[1].size;
  int64_t per_expert = 6 * d * ffn + gate_operations(kind) * ffn + 2 * d;
  if (in.size() == 9) per_expert += 2 * ffn + d;
  // Weighing the input costs d products, and the sum of the outputs d additions: 2 d either way.
  return load.tokens() * k * per_expert;
}

std::vector<Value> ExpertFfn::expand(Builder& b, Values in) const {
  const bool biased = in.size() == 9;
  const Value x = weigh_input ? b.add1(WeightedCopies{}, {in[1], in[0]}) : in[0];
  const auto project = [&](const Value& v, size_t w, std::string_view label) {
    std::vector<Value> inputs{v, in[2], in[w]};
    if (biased) inputs.push_back(in[w + 3]);
    return b.add1(ExpertLinear{}, inputs, label);
  };
  const Value gate = project(x, 3, "gate"), up = project(x, 4, "up");
  const Value h = b.add1(activation(), {gate, up}, "act");
  const Value y = project(h, 5, "down");
  if (!weigh_input) return {b.add1(WeightedSum{}, {in[1], y})};
  return {b.add1(ExpertSum{}, {y})};
}

std::vector<Value> Gated::derivative(Builder& b, Values in, Values, Values dy) const {
  return b.add(GatedGrad{*this}, {in[0], in[1], dy[0]});
}

std::vector<Value> ExpertFfn::derivative(Builder& b, Values in, Values, Values dy) const {
  std::vector<Value> read{in[0], dy[0]};
  for (size_t i = 1; i < in.size(); ++i) read.push_back(in[i]);
  const std::vector<Value> made = b.add(ExpertFfnGrad{*this}, read);
  std::vector<Value> d{made[0], made[1], Value{}};  // none of the indices
  for (size_t i = 2; i < made.size(); ++i) d.push_back(made[i]);
  return d;
}

ASHLAR_OP(Gated)
ASHLAR_OP(Route)
ASHLAR_OP(WeightedSum)
ASHLAR_OP(WeightedCopies)
ASHLAR_OP(ExpertSum)
ASHLAR_OP(ExpertFfn)

}  // namespace ashlar
