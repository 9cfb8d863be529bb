// The gradient of attention in plain loops, that of latent attention as its expansion.
#include "ops/attention_grad.h"

#include "graph/op_model.h"
#include "ops/axes_text.h"
#include "ops/elementwise.h"
#include "ops/elementwise_grad.h"
#include "ops/experts.h"
#include "ops/linear.h"
#include "ops/linear_grad.h"

namespace ashlar {
namespace {

/// Inputs of the forward op among those of its gradient, which has `at` as place of do.
std::vector<Type> forward_types(Types in, size_t at) {
  std::vector<Type> types(in.begin(), in.end());
  types.erase(types.begin() + static_cast<int64_t>(at));
  return types;
}

}  // namespace

std::vector<Type> AttentionGrad::types(Types in) const {
  expect_inputs(in, 4, 5);
  std::vector<Type> types = forward_types(in, 3);
  const Type o = forward.types(types)[0];
  expect(in[3], Kind::real, o.axes, "do");
  return types;
}

int64_t AttentionGrad::flops(Types in, const Workload& load) const {
  const int64_t heads = in[0].axes[1].size * in[0].axes[2].size, d = in[0].axes[3].size,
                dv = in[2].axes[2].size;
  const bool capped = forward.softcap > 0, sinks = in.size() == 5;
  // Per visible key: the score (2 d + 1, softcap 3), its exponential (3), its probability (1), do v
  // (2 dv), their mean (2), ds (2, softcap 3, scale 1), dv, dq and dk (2 dv + 4 d).
  const int64_t per_key = 6 * d + 4 * dv + 10 + (capped ? 6 : 0);
  int64_t flops = heads * visible_keys(load, forward.window, forward.chunk) * per_key;
  // Per query: 1 / sum; the sink's subtract, exp and add, its probability, product and subtraction.
  flops += heads * load.tokens() * (1 + (sinks ? 6 : 0));
  return flops + 2 * heads * forward.scaled_keys(load);
}

template <class F>
void AttentionGrad::meaning(const In<F>& in, Out<F>& out) const {
  using std::exp;
  using W = Wide<F>;
  const int64_t kv_heads = in[0].sizes[1], group = in[0].sizes[2], d = in[0].sizes[3],
                dv = in[2].sizes[2];
  const bool sinks = in.size() == 5;
  std::vector<W> p, dp, capped;  // per visible key; capped: tanh(score / softcap)
  forward.each_query(in.batch, [&](int64_t t, const std::vector<int64_t>& visible, double factor) {
    p.assign(visible.size(), W(0));
    dp = capped = p;
    for (int64_t h = 0; h < kv_heads * group; ++h) {
      const int64_t kv = h / group;
      const F* q = in[0].values.data() + (t * kv_heads * group + h) * d;
      const F* dout = in[3].values.data() + (t * kv_heads * group + h) * dv;
      F* dq = out[0].values.data() + (t * kv_heads * group + h) * d;
      W peak = sinks ? W(in[4].values[static_cast<size_t>(h)]) : W(-1e30);
      for (size_t j = 0; j < visible.size(); ++j) {
        const F* k = in[1].values.data() + (visible[j] * kv_heads + kv) * d;
        p[j] = forward.score(q, k, d, factor, &capped[j]);
        if (p[j] > peak) peak = p[j];
      }
      W sum = 0, sink = 0, mean = 0;  // mean of dp under p
      if (sinks) {
        sink = exp(W(in[4].values[static_cast<size_t>(h)]) - peak);
        sum += sink;
      }
      for (W& v : p) {
        v = exp(v - peak);
        sum += v;
      }
      const W r = W(1) / sum;
      for (size_t j = 0; j < visible.size(); ++j) {
        const F* v = in[2].values.data() + (visible[j] * kv_heads + kv) * dv;
        dp[j] = W(0);
        for (int64_t i = 0; i < dv; ++i) dp[j] += W(dout[i]) * W(v[i]);
        p[j] *= r;
        mean += p[j] * dp[j];
      }
      if (sinks) out[3].values[static_cast<size_t>(h)] -= F(sink * r * mean);
      for (size_t j = 0; j < visible.size(); ++j) {
        const int64_t row = visible[j] * kv_heads + kv;
        F* dvalue = out[2].values.data() + row * dv;
        for (int64_t i = 0; i < dv; ++i) dvalue[i] += F(p[j] * W(dout[i]));
        W ds = p[j] * (dp[j] - mean);
        if (factor != 1) ds *= W(factor);
        if (forward.softcap > 0) ds *= W(1) - capped[j] * capped[j];
        ds *= W(forward.scale);
        const F* k = in[1].values.data() + row * d;
        F* dk = out[1].values.data() + row * d;
        for (int64_t i = 0; i < d; ++i) {
          dq[i] += F(ds * W(k[i]));
          dk[i] += F(ds * W(q[i]));
        }
      }
    }
  });
}

std::vector<Type> LatentAttentionGrad::types(Types in) const {
  expect_inputs(in, 7, 7);
  std::vector<Type> types = forward_types(in, 6);
  const Type o = forward.types(types)[0];
  expect(in[6], Kind::real, o.axes, "do");
  return types;
}

int64_t LatentAttentionGrad::flops(Types in, const Workload& load) const {
  const int64_t heads = in[0].axes[1].size, n = in[0].axes[2].size, p = in[1].axes[2].size,
                r = in[2].axes[1].size, v = in[5].axes[1].size;
  // k and v again, the gradients of both products for latent and weights, the sums over both
  // products (r) and over heads that share k_rope (heads p); then attention's.
  const int64_t products = load.tokens() * (heads * 6 * r * (n + v) + r + heads * p);
  const int64_t keys = visible_keys(load, 0, 0);
  return products + heads * keys * (6 * (n + p) + 4 * v + 10) + heads * load.tokens();
}

std::vector<Value> LatentAttentionGrad::expand(Builder& b, Values in) const {
  const Type q_nope = in[0].type(), q_rope = in[1].type(), value = in[6].type();
  const Axis heads = q_nope.axes[1], nope = q_nope.axes[2], rope = q_rope.axes[2];
  const Axis group{"group", 1}, qk{"qk", nope.size + rope.size};
  const auto rename = [&](const Value& x, const Axes& axes) {
    return b.add1(Rename{.axes = text_of(axes)}, {x});
  };
  const Value k_rope = b.add1(Repeat{.axis = heads.name, .count = heads.size}, {in[3]});
  const Value k =
      b.add1(Concat{.axis = "qk"}, {b.add1(Linear{}, {in[2], in[4]}, "k_nope"), k_rope}, "k");
  const Value q = rename(b.add1(Concat{.axis = "qk"}, {in[0], in[1]}, "q"), {heads, group, qk});
  const Value v = b.add1(Linear{}, {in[2], in[5]}, "v");
  const Value dout = rename(in[6], {heads, group, value.axes[2]});
  const std::vector<Value> d =
      b.add(AttentionGrad{{.scale = forward.scale}}, {q, k, v, dout}, "scores");
  const auto part = [&](const Value& x, int64_t begin, const Axis& axis) {
    return b.add1(Slice{.begin = begin, .axis = axis.name, .size = axis.size}, {x});
  };
  const Value dq = rename(d[0], {heads, qk});
  const Value dk_nope = part(d[1], 0, nope), dk_rope = part(d[1], nope.size, rope);
  const Value dlatent = b.add1(Add{}, {b.add1(LinearInputGrad{}, {dk_nope, in[4]}),
                                       b.add1(LinearInputGrad{}, {d[2], in[5]})});
  return {part(dq, 0, nope),
          part(dq, nope.size, rope),
          dlatent,
          b.add1(ExpertSum{}, {dk_rope}),
          b.add1(LinearWeightGrad{}, {in[2], dk_nope}),
          b.add1(LinearWeightGrad{}, {in[2], d[2]})};
}

ASHLAR_OP(AttentionGrad)
ASHLAR_OP(LatentAttentionGrad)

}  // namespace ashlar
