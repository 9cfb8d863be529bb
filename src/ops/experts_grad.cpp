// The gradient of routing in plain loops, that of the experts as its expansion.
#include "ops/experts_grad.h"

#include <algorithm>

#include "graph/op_model.h"
#include "ops/elementwise.h"
#include "ops/elementwise_grad.h"
#include "ops/linear.h"
#include "ops/linear_grad.h"
#include "ops/route_scores.h"
#include "ops/types.h"

namespace ashlar {

std::vector<Type> RouteGrad::types(Types in) const {
  expect_inputs(in, 3, 3);
  const std::vector<Type> made = forward.types(in.first(1));
  expect(in[1], Kind::index, made[1].axes, "experts");
  expect(in[2], Kind::real, made[0].axes, "dweights");
  return {in[0]};
}

int64_t RouteGrad::flops(Types in, const Workload& load) const {
  const int64_t experts = in[0].axes[1].size, k = forward.top_k;
  // Softmax: the scores again; mean; subtract and multiply.
  const int64_t of_score[] = {4 * experts + 2 * k + 2 * experts, 3 * experts + 3 * k, 4 * k + 4 * k,
                              6 * k * experts + k * (2 * experts + 2)};
  int64_t n = entry_of(of_score, forward.score);
  if (forward.softcap > 0) n += 6 * experts;
  if (forward.normalize) n += k + 1 + 2 * k + k + 2 * k;
  if (forward.scale != 1) n += k;
  return load.tokens() * n;
}

template <class F>
void RouteGrad::meaning(const In<F>& in, Out<F>& out) const {
  using W = Wide<F>;
  const auto experts = static_cast<size_t>(in[0].sizes[1]);
  const auto k = static_cast<size_t>(forward.top_k);
  RouteScores<W> s;
  std::vector<W> dz(experts), dw(k);
  std::vector<size_t> chosen(k);
  for (size_t t = 0; t < static_cast<size_t>(in.batch.size()); ++t) {
    std::fill(dz.begin(), dz.end(), W(0));
    for (size_t i = 0; i < k; ++i)
      chosen[i] =
          static_cast<size_t>(checked_row(in[1].indices[t * k + i], in[0].sizes[1], "expert"));
    s.take(forward, in[0].values.data() + t * experts, experts);
    s.choose(forward, chosen);
    const std::vector<W>& w = s.chosen;
    for (size_t i = 0; i < k; ++i) {
      dw[i] = in[2].values[t * k + i];
      if (forward.scale != 1) dw[i] *= W(forward.scale);
    }
    // Through w / sum(w), then through the scores.
    if (forward.normalize) {
      W sum = 0, mean = 0;
      for (const W& v : w) sum += v;
      sum += W(1e-20);
      for (size_t i = 0; i < k; ++i) mean += dw[i] * (w[i] / sum);
      for (W& v : dw) v = (v - mean) / sum;
    }
    W mean = 0;
    switch (forward.score) {
      case RouteScore::softmax:
        for (size_t i = 0; i < k; ++i) {
          mean += dw[i] * w[i];
          dz[chosen[i]] = dw[i];
        }
        for (size_t e = 0; e < experts; ++e) dz[e] = s.scores[e] * (dz[e] - mean);
        break;
      case RouteScore::sigmoid:
        for (size_t i = 0; i < k; ++i) dz[chosen[i]] = dw[i] * w[i] * (W(1) - w[i]);
        break;
      case RouteScore::softmax_selected:
        for (size_t i = 0; i < k; ++i) mean += dw[i] * w[i];
        for (size_t i = 0; i < k; ++i) dz[chosen[i]] = w[i] * (dw[i] - mean);
        break;
      case RouteScore::sparsemixer:  // each weight through its own softmax
        for (size_t i = 0; i < k; ++i) {
          const W g = dw[i] * w[i];
          for (size_t e = 0; e < experts; ++e) dz[e] -= g * s.shares[i * experts + e];
          dz[chosen[i]] += g;
        }
        break;
    }
    if (forward.softcap > 0) {
      for (size_t e = 0; e < experts; ++e) dz[e] *= W(1) - s.capped[e] * s.capped[e];
    }
    for (size_t e = 0; e < experts; ++e) out[0].values[t * experts + e] = F(dz[e]);
  }
}

std::vector<Type> ChosenDot::types(Types in) const {
  expect_inputs(in, 2, 2);
  expect_kind(in[0], Kind::real, "x");
  expect_form(in[0], "[tokens, chosen, d]", "x");
  expect_kind(in[1], Kind::real, "y");
  expect_axes(in[1].axes, {tokens_axis(), in[0].axes[2]}, "y against x");
  return {{Kind::real, {tokens_axis(), in[0].axes[1]}}};
}

int64_t ChosenDot::flops(Types in, const Workload& load) const {
  return load.tokens() * 2 * in[0].feature_count();
}

std::vector<Value> ChosenDot::derivative(Builder& b, Values in, Values, Values dy) const {
  return {b.add1(WeightedCopies{}, {dy[0], in[1]}), b.add1(WeightedSum{}, {dy[0], in[0]})};
}

template <class F>
void ChosenDot::meaning(const In<F>& in, Out<F>& out) const {
  using W = Wide<F>;
  const int64_t k = in[0].sizes[1], d = in[0].sizes[2];
  for (int64_t i = 0; i < in.batch.size() * k; ++i) {
    W sum = 0;
    for (int64_t j = 0; j < d; ++j)
      sum += W(in[0].values[static_cast<size_t>(i * d + j)]) *
             W(in[1].values[static_cast<size_t>(i / k * d + j)]);
    out[0].values[static_cast<size_t>(i)] = F(sum);
  }
}

std::vector<Type> ExpertFfnGrad::types(Types in) const {
  if (in.size() != 7 && in.size() != 10)
    shape_error("expected 7 inputs, or 10 with biases, found " + std::to_string(in.size()));
  std::vector<Type> types(in.begin(), in.end());
  types.erase(types.begin() + 1);
  const Type y = forward.types(types)[0];
  expect(in[1], Kind::real, y.axes, "dy");
  types.erase(types.begin() + 2);
  return types;
}

int64_t ExpertFfnGrad::flops(Types in, const Workload& load) const {
  const int64_t k = in[2].axes[1].size, d = in[0].axes[1].size, ffn = in[4].axes[1].size;
  const int64_t product = 2 * d * ffn;
  const int64_t gated = forward.activation().flops(
      std::vector<Type>(2, Type{Kind::real, {tokens_axis(), in[4].axes[1]}}), Workload::prefill(1));
  // gate and up again; of each of three products the gradient for input and weight; the sum of what
  // gate and up say of x.
  int64_t per_expert = 8 * product + gated + ffn * gated_grad_operations(forward.kind) + d;
  if (in.size() == 10) per_expert += 2 * ffn + 2 * ffn + d;
  // Weights on the input: x weighed, its gradient's dot product with x and weighed sum. On the
  // output: y again with its bias, its dot product with dy, dy weighed, and dx summed up.
  per_expert +=
      forward.weigh_input ? d + 2 * d + 2 * d : product + (in.size() == 10 ? d : 0) + 2 * d + d + d;
  return load.tokens() * k * per_expert;
}

std::vector<Value> ExpertFfnGrad::expand(Builder& b, Values in) const {
  const bool biased = in.size() == 10, weigh_input = forward.weigh_input;
  const Value &x = in[0], &dy = in[1], &weights = in[2], &experts = in[3];
  const Axis count = in[4].type().axes[0];
  const Axis chosen = experts.type().axes[1];
  const auto project = [&](const Value& v, size_t w, std::string_view label) {
    std::vector<Value> inputs{v, experts, in[w]};
    if (biased) inputs.push_back(in[w + 3]);
    return b.add1(ExpertLinear{}, inputs, label);
  };
  const auto input_grad = [&](const Value& d, size_t w) {
    return b.add1(ExpertLinearInputGrad{}, {d, experts, in[w]});
  };
  const auto weight_grad = [&](const Value& v, const Value& d) {
    return b.add1(ExpertLinearWeightGrad{.axis = count.name, .count = count.size}, {v, experts, d});
  };
  const auto bias_grad = [&](const Value& d) {
    return b.add1(ExpertLinearBiasGrad{.axis = count.name, .count = count.size}, {experts, d});
  };
  const Value read = weigh_input ? b.add1(WeightedCopies{}, {weights, x}) : x;
  const Value gate = project(read, 4, "gate"), up = project(read, 5, "up");
  const Value h = b.add1(forward.activation(), {gate, up}, "act");
  // Gradient of each chosen expert's output.
  const Value down = weigh_input ? b.add1(Repeat{.axis = chosen.name, .count = chosen.size}, {dy})
                                 : b.add1(WeightedCopies{}, {weights, dy});
  const std::vector<Value> d =
      b.add(GatedGrad{forward.activation()}, {gate, up, input_grad(down, 6)}, "act");
  const Value dread = b.add1(Add{}, {input_grad(d[0], 4), input_grad(d[1], 5)});
  Value dx, dweights;
  if (weigh_input) {
    dx = b.add1(WeightedSum{}, {weights, dread});
    dweights = b.add1(ChosenDot{}, {dread, x});
  } else {
    dx = b.add1(ExpertSum{}, {dread});
    dweights = b.add1(ChosenDot{}, {project(h, 6, "down"), dy});
  }
  std::vector<Value> all{dx, dweights, weight_grad(read, d[0]), weight_grad(read, d[1]),
                         weight_grad(h, down)};
  if (biased) {
    for (const Value& v : {d[0], d[1], down}) all.push_back(bias_grad(v));
  }
  return all;
}

ASHLAR_OP(RouteGrad)
ASHLAR_OP(ChosenDot)
ASHLAR_OP(ExpertFfnGrad)

}  // namespace ashlar
