// Matrix products in plain loops.
#include "ops/linear.h"

#include "graph/op_model.h"
#include "ops/experts.h"
#include "ops/linear_grad.h"
#include "ops/types.h"

namespace ashlar {

std::vector<Type> Linear::types(Types in) const {
  expect_inputs(in, 2, 3);
  expect_tokens(in[0], "x");
  expect_weight(in[1], "w");
  if (in.size() == 3) expect_weight(in[2], "b");
  if (in_axes < 1) shape_error("in_axes: expected at least 1, found " + std::to_string(in_axes));
  const auto n = static_cast<size_t>(in_axes);
  const Axes contracted = last_axes(in[1], n, "w");
  expect_axes(in[0].features(), contracted, "x against w " + to_string(in[1]));
  const Axes out(in[1].axes.begin(), in[1].axes.end() - in_axes);
  if (out.empty())
    shape_error("w: expected axes besides the contracted ones, found " + to_string(in[1]));
  if (in.size() == 3) expect_axes(in[2].axes, out, "b");
  return {tokens_of(out)};
}

int64_t Linear::flops(Types in, const Workload& load) const {
  const int64_t weights = in[1].feature_count();
  const int64_t bias = in.size() == 3 ? in[2].feature_count() : 0;
  return load.tokens() * (2 * weights + bias);
}

std::vector<Value> Linear::derivative(Builder& b, Values in, Values, Values dy) const {
  const auto bias_axes = static_cast<int64_t>(in[1].type().axes.size()) - in_axes;
  std::vector<Value> d{b.add1(LinearInputGrad{.in_axes = in_axes}, {dy[0], in[1]}),
                       b.add1(LinearWeightGrad{}, {in[0], dy[0]})};
  if (in.size() == 3) d.push_back(b.add1(TokenSum{.axes = bias_axes}, {dy[0]}));
  return d;
}

template <class F>
void Linear::meaning(const In<F>& in, Out<F>& out) const {
  const int64_t width = in[1].inner(static_cast<size_t>(in_axes));
  const int64_t rows = in[1].elements() / width;
  for (int64_t t = 0; t < in.batch.size(); ++t) {
    const F* x = in[0].values.data() + t * width;
    for (int64_t r = 0; r < rows; ++r) {
      const F* w = in[1].values.data() + r * width;
      Wide<F> sum = 0;
      for (int64_t i = 0; i < width; ++i) sum += Wide<F>(w[i]) * Wide<F>(x[i]);
      if (in.size() == 3) sum += Wide<F>(in[2].values[static_cast<size_t>(r)]);
      out[0].values[static_cast<size_t>(t * rows + r)] = F(sum);
    }
  }
}

std::vector<Type> ExpertLinear::types(Types in) const {
  expect_inputs(in, 3, 4);
  expect_tokens(in[0], "x");
  expect_kind(in[1], Kind::index, "experts");
  expect_per_token(in[1], "experts");
  expect_weight(in[2], "w");
  if (in.size() == 4) expect_weight(in[3], "b");
  expect_form(in[1], "[tokens, chosen]", "experts");
  const Axis chosen = in[1].axes[1];
  expect_form(in[2], "[experts, out, in]", "w");
  const Axis width = in[2].axes[2];
  const Axes x = in[0].features();
  if (x != Axes{width}) expect_axes(x, {chosen, width}, "x against w " + to_string(in[2]));
  if (in.size() == 4) expect_axes(in[3].axes, {in[2].axes[0], in[2].axes[1]}, "b");
  return {{Kind::real, {tokens_axis(), chosen, in[2].axes[1]}}};
}

int64_t ExpertLinear::flops(Types in, const Workload& load) const {
  const int64_t out = in[2].axes[1].size, width = in[2].axes[2].size;
  return load.tokens() * in[1].axes[1].size * out * (2 * width + (in.size() == 4 ? 1 : 0));
}

std::vector<Value> ExpertLinear::derivative(Builder& b, Values in, Values, Values dy) const {
  const Axis experts = in[2].type().axes[0];
  Value dx = b.add1(ExpertLinearInputGrad{}, {dy[0], in[1], in[2]});
  if (in[0].type().axes.size() == 2) dx = b.add1(ExpertSum{}, {dx});
  std::vector<Value> d{dx,
                       {},
                       b.add1(ExpertLinearWeightGrad{.axis = experts.name, .count = experts.size},
                              {in[0], in[1], dy[0]})};
  if (in.size() == 4) {
    d.push_back(
        b.add1(ExpertLinearBiasGrad{.axis = experts.name, .count = experts.size}, {in[1], dy[0]}));
  }
  return d;
}

template <class F>
void ExpertLinear::meaning(const In<F>& in, Out<F>& out) const {
  const int64_t chosen = in[1].sizes[1], rows = in[2].sizes[1], width = in[2].sizes[2];
  const bool shared_input = in[0].sizes.size() == 2;
  for (int64_t t = 0; t < in.batch.size(); ++t) {
    for (int64_t k = 0; k < chosen; ++k) {
      const F* x = in[0].values.data() + (shared_input ? t : t * chosen + k) * width;
      const int64_t expert = in[1].indices[static_cast<size_t>(t * chosen + k)];
      for (int64_t r = 0; r < rows; ++r) {
        const F* w = in[2].values.data() + (expert * rows + r) * width;
        Wide<F> sum = 0;
        for (int64_t i = 0; i < width; ++i) sum += Wide<F>(w[i]) * Wide<F>(x[i]);
        if (in.size() == 4) sum += Wide<F>(in[3].values[static_cast<size_t>(expert * rows + r)]);
        out[0].values[static_cast<size_t>((t * chosen + k) * rows + r)] = F(sum);
      }
    }
  }
}

ASHLAR_OP(Linear)
ASHLAR_OP(ExpertLinear)

}  // namespace ashlar
