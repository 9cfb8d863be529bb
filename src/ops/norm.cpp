// Norms in plain loops.
#include "ops/norm.h"

#include "graph/op_model.h"
#include "ops/norm_grad.h"
#include "ops/types.h"

namespace ashlar {

Axes RmsNorm::group(const Type& x) const {
  if (axes < 1) shape_error("axes: expected at least 1, found " + std::to_string(axes));
  return last_axes(x, static_cast<size_t>(axes), "x");
}

std::vector<Type> RmsNorm::types(Types in) const {
  expect_inputs(in, 1, 2);
  expect_tokens(in[0], "x");
  if (in.size() == 2) expect_weight(in[1], "w");
  const Axes axes_of_group = group(in[0]);
  if (in.size() == 2) expect_axes(in[1].axes, axes_of_group, "w");
  return {in[0]};
}

int64_t RmsNorm::flops(Types in, const Workload& load) const {
  const int64_t n = count_of(group(in[0]));
  const int64_t groups = in[0].feature_count() / n;
  return load.tokens() * groups * (n * (in.size() == 2 ? 4 : 3) + 4);
}

std::vector<Value> RmsNorm::derivative(Builder& b, Values in, Values, Values dy) const {
  std::vector<Value> read{in[0], dy[0]};
  if (in.size() == 2) read.push_back(in[1]);
  return b.add(RmsNormGrad{*this}, read);
}

template <class F>
void RmsNorm::meaning(const In<F>& in, Out<F>& out) const {
  using std::sqrt;
  using W = Wide<F>;
  const int64_t n = in[0].inner(static_cast<size_t>(axes));
  for (int64_t g = 0; g < in[0].elements() / n; ++g) {
    const F* x = in[0].values.data() + g * n;
    F* y = out[0].values.data() + g * n;
    W squares = 0;
    for (int64_t i = 0; i < n; ++i) squares += W(x[i]) * W(x[i]);
    const W r = W(1) / sqrt(squares / W(static_cast<double>(n)) + W(eps));
    for (int64_t i = 0; i < n; ++i) {
      W v = W(x[i]) * r;
      if (in.size() == 2) v *= W(in[1].values[static_cast<size_t>(i)]);
      y[i] = F(v);
    }
  }
}

std::vector<Type> LayerNorm::types(Types in) const {
  expect_inputs(in, 2, 3);
  expect_tokens(in[0], "x");
  const Axes group = last_axes(in[0], 1, "x");
  for (size_t i = 1; i < in.size(); ++i) {
    expect_weight(in[i], i == 1 ? "w" : "b");
    expect_axes(in[i].axes, group, i == 1 ? "w" : "b");
  }
  return {in[0]};
}

int64_t LayerNorm::flops(Types in, const Workload& load) const {
  const int64_t n = in[0].axes.back().size;
  return load.tokens() * (in[0].feature_count() / n) * ((in.size() == 3 ? 8 : 7) * n + 5);
}

std::vector<Value> LayerNorm::derivative(Builder& b, Values in, Values, Values dy) const {
  std::vector<Value> d = b.add(LayerNormGrad{.eps = eps}, {in[0], dy[0], in[1]});
  if (in.size() == 2) d.pop_back();
  return d;
}

template <class F>
void LayerNorm::meaning(const In<F>& in, Out<F>& out) const {
  using std::sqrt;
  using W = Wide<F>;
  const int64_t n = in[0].inner(1);
  for (int64_t g = 0; g < in[0].elements() / n; ++g) {
    const F* x = in[0].values.data() + g * n;
    F* y = out[0].values.data() + g * n;
    W sum = 0, squares = 0;
    for (int64_t i = 0; i < n; ++i) sum += W(x[i]);
    const W mean = sum / W(static_cast<double>(n));
    for (int64_t i = 0; i < n; ++i) {
      const W centred = W(x[i]) - mean;
      squares += centred * centred;
    }
    const W r = W(1) / sqrt(squares / W(static_cast<double>(n)) + W(eps));
    for (int64_t i = 0; i < n; ++i) {
      W v = (W(x[i]) - mean) * r * W(in[1].values[static_cast<size_t>(i)]);
      if (in.size() == 3) v += W(in[2].values[static_cast<size_t>(i)]);
      y[i] = F(v);
    }
  }
}

ASHLAR_OP(RmsNorm)
ASHLAR_OP(LayerNorm)

}  // namespace ashlar
