// Gradients of the norms in plain loops.
#include "ops/norm_grad.h"

#include "graph/op_model.h"
#include "ops/types.h"

namespace ashlar {

std::vector<Type> RmsNormGrad::types(Types in) const {
  expect_inputs(in, 2, 3);
  expect_tokens(in[0], "x");
  expect_kind(in[1], Kind::real, "dy");
  expect_axes(in[1].axes, in[0].axes, "dy against x");
  if (in.size() == 3) expect_weight(in[2], "w");
  const Axes group = forward.group(in[0]);
  if (in.size() == 2) return {in[0]};
  expect_axes(in[2].axes, group, "w");
  return {in[0], in[2]};
}

int64_t RmsNormGrad::flops(Types in, const Workload& load) const {
  const int64_t n = count_of(forward.group(in[0]));
  const int64_t groups = in[0].feature_count() / n;
  return load.tokens() * groups * (n * (in.size() == 3 ? 11 : 7) + 8);
}

template <class F>
void RmsNormGrad::meaning(const In<F>& in, Out<F>& out) const {
  using std::sqrt;
  using W = Wide<F>;
  const int64_t n = in[0].inner(static_cast<size_t>(forward.axes));
  const W count = W(static_cast<double>(n));
  std::vector<W> g(static_cast<size_t>(n));  // gradient of x / rms
  std::vector<W> dw(in.size() == 3 ? static_cast<size_t>(n) : 0);
  for (int64_t group = 0; group < in[0].elements() / n; ++group) {
    const F* x = in[0].values.data() + group * n;
    const F* dy = in[1].values.data() + group * n;
    F* dx = out[0].values.data() + group * n;
    W squares = 0, product = 0;
    for (int64_t i = 0; i < n; ++i) squares += W(x[i]) * W(x[i]);
    const W r = W(1) / sqrt(squares / count + W(forward.eps));
    for (int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<size_t>(i);
      g[at] = in.size() == 3 ? W(dy[i]) * W(in[2].values[at]) : W(dy[i]);
      product += g[at] * W(x[i]);
    }
    const W c = r * r * r * product / count;
    for (int64_t i = 0; i < n; ++i) dx[i] = F(r * g[static_cast<size_t>(i)] - c * W(x[i]));
    for (size_t i = 0; i < dw.size(); ++i) dw[i] += W(dy[i]) * W(x[i]) * r;
  }
  for (size_t i = 0; i < dw.size(); ++i) out[1].values[i] = F(dw[i]);
}

std::vector<Type> LayerNormGrad::types(Types in) const {
  expect_inputs(in, 3, 3);
  expect_tokens(in[0], "x");
  expect_kind(in[1], Kind::real, "dy");
  expect_axes(in[1].axes, in[0].axes, "dy against x");
  expect_weight(in[2], "w");
  expect_axes(in[2].axes, last_axes(in[0], 1, "x"), "w");
  return {in[0], in[2], in[2]};
}

int64_t LayerNormGrad::flops(Types in, const Workload& load) const {
  const int64_t n = in[0].axes.back().size;
  return load.tokens() * (in[0].feature_count() / n) * (17 * n + 7);
}

template <class F>
void LayerNormGrad::meaning(const In<F>& in, Out<F>& out) const {
  using std::sqrt;
  const int64_t n = in[0].inner(1);
  using W = Wide<F>;
  const W count = W(static_cast<double>(n));
  std::vector<W> h(static_cast<size_t>(n)), g(h.size());  // normalised x, and its gradient
  std::vector<W> dw(h.size()), db(h.size());
  for (int64_t group = 0; group < in[0].elements() / n; ++group) {
    const F* x = in[0].values.data() + group * n;
    const F* dy = in[1].values.data() + group * n;
    F* dx = out[0].values.data() + group * n;
    W sum = 0, squares = 0, sum_g = 0, sum_gh = 0;
    for (int64_t i = 0; i < n; ++i) sum += W(x[i]);
    const W mean = sum / count;
    for (int64_t i = 0; i < n; ++i) {
      const W centred = W(x[i]) - mean;
      squares += centred * centred;
    }
    const W r = W(1) / sqrt(squares / count + W(eps));
    for (size_t i = 0; i < h.size(); ++i) {
      h[i] = (W(x[i]) - mean) * r;
      g[i] = W(dy[i]) * W(in[2].values[i]);
      sum_g += g[i];
      sum_gh += g[i] * h[i];
      dw[i] += W(dy[i]) * h[i];
      db[i] += W(dy[i]);
    }
    const W mean_g = sum_g / count, mean_gh = sum_gh / count;
    for (size_t i = 0; i < h.size(); ++i) dx[i] = F(r * (g[i] - mean_g - h[i] * mean_gh));
  }
  for (size_t i = 0; i < dw.size(); ++i) {
    out[1].values[i] = F(dw[i]);
    out[2].values[i] = F(db[i]);
  }
}

ASHLAR_OP(RmsNormGrad)
ASHLAR_OP(LayerNormGrad)

}  // namespace ashlar
