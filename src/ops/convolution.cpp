// The causal convolution and its gradient in plain loops.
#include "ops/convolution.h"

#include "graph/op_model.h"
#include "ops/linear_grad.h"
#include "ops/sequences.h"
#include "ops/types.h"

namespace ashlar {
namespace {

/// Checks x and w; gives the width.
int64_t width_of(const Type& x, const Type& w) {
  expect_tokens(x, "x");
  expect_weight(w, "w");
  if (w.axes.empty() || w.axes.back().size < 1)
    shape_error("w: expected [c..., width], found " + to_string(w));
  expect_axes({w.axes.begin(), w.axes.end() - 1}, x.features(), "w's channels against x's");
  return w.axes.back().size;
}

}  // namespace

std::vector<Type> CausalConvolution::types(Types in) const {
  expect_inputs(in, 2, 3);
  width_of(in[0], in[1]);
  if (in.size() == 3) {
    expect_weight(in[2], "b");
    expect_axes(in[2].axes, in[0].features(), "b");
  }
  return {in[0]};
}

int64_t CausalConvolution::flops(Types in, const Workload& load) const {
  const int64_t width = in[1].axes.back().size;
  return load.tokens() * in[0].feature_count() * (2 * width + (in.size() == 3 ? 1 : 0));
}

std::vector<Value> CausalConvolution::derivative(Builder& b, Values in, Values, Values dy) const {
  std::vector<Value> d = b.add(CausalConvolutionGrad{}, {in[0], dy[0], in[1]});
  if (in.size() == 3) {
    const auto axes = static_cast<int64_t>(in[2].type().axes.size());
    d.push_back(b.add1(TokenSum{.axes = axes}, {dy[0]}));
  }
  return d;
}

template <class F>
void CausalConvolution::meaning(const In<F>& in, Out<F>& out) const {
  using W = Wide<F>;
  const int64_t width = in[1].sizes.back(), channels = in[0].inner(in[0].sizes.size() - 1);
  for (const auto& [sequence, rows] : rows_by_sequence(in.batch)) {
    std::vector<W> past(static_cast<size_t>(channels * (width - 1)), W(0));
    for (const int64_t t : rows) {
      for (int64_t c = 0; c < channels; ++c) {
        W y = step(width, past.data() + c * (width - 1), in[1].values.data() + c * width,
                   in[0].values[static_cast<size_t>(t * channels + c)]);
        if (in.size() == 3) y += W(in[2].values[static_cast<size_t>(c)]);
        out[0].values[static_cast<size_t>(t * channels + c)] = F(y);
      }
    }
  }
}

std::vector<Type> CausalConvolutionGrad::types(Types in) const {
  expect_inputs(in, 3, 3);
  width_of(in[0], in[2]);
  expect_kind(in[1], Kind::real, "dy");
  expect_axes(in[1].axes, in[0].axes, "dy against x");
  return {in[0], in[2]};
}

int64_t CausalConvolutionGrad::flops(Types in, const Workload& load) const {
  // A token and each of the tokens before it that its window reaches: two multiply-adds.
  return 4 * in[0].feature_count() * visible_keys(load, in[2].axes.back().size, 0);
}

template <class F>
void CausalConvolutionGrad::meaning(const In<F>& in, Out<F>& out) const {
  using W = Wide<F>;
  const int64_t width = in[2].sizes.back(), channels = in[0].inner(in[0].sizes.size() - 1);
  std::vector<W> dw(in[2].values.size(), W(0)), dx;
  for (const auto& of_sequence : rows_by_sequence(in.batch)) {
    const std::vector<int64_t>& rows = of_sequence.second;
    const auto count = static_cast<int64_t>(rows.size());
    for (int64_t c = 0; c < channels; ++c) {
      const auto at = [&](int64_t n) {
        return static_cast<size_t>(rows[static_cast<size_t>(n)] * channels + c);
      };
      dx.assign(rows.size(), W(0));
      for (int64_t n = 0; n < count; ++n) {
        const W dy = in[1].values[at(n)];
        for (int64_t i = std::max<int64_t>(0, width - 1 - n); i < width; ++i) {
          const int64_t from = n - width + 1 + i;
          const auto w = static_cast<size_t>(c * width + i);
          dx[static_cast<size_t>(from)] += W(in[2].values[w]) * dy;
          dw[w] += dy * W(in[0].values[at(from)]);
        }
      }
      for (int64_t n = 0; n < count; ++n) out[0].values[at(n)] = F(dx[static_cast<size_t>(n)]);
    }
  }
  for (size_t i = 0; i < dw.size(); ++i) out[1].values[i] = F(dw[i]);
}

ASHLAR_OP(CausalConvolution)
ASHLAR_OP(CausalConvolutionGrad)

}  // namespace ashlar
