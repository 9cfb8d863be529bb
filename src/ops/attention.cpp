// Attention in plain loops, and latent attention as its expansion.
#include "ops/attention.h"

#include "graph/op_model.h"
#include "ops/attention_grad.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/types.h"

namespace ashlar {

std::vector<Type> Attention::types(Types in) const {
  expect_inputs(in, 3, 4);
  for (size_t i = 0; i < 3; ++i) expect_tokens(in[i], "q, k and v");
  if (in.size() == 4) expect_weight(in[3], "sinks");
  expect_form(in[0], "[tokens, kv_heads, group, head_dim]", "q");
  expect_form(in[1], "[tokens, kv_heads, head_dim]", "k");
  expect_form(in[2], "[tokens, kv_heads, value_dim]", "v");
  expect_axes({in[1].axes[1]}, {in[0].axes[1]}, "k's heads against q's");
  expect_axes({in[2].axes[1]}, {in[0].axes[1]}, "v's heads against q's");
  expect_axes({in[1].axes[2]}, {in[0].axes[3]}, "k's head_dim against q's");
  if (in.size() == 4) expect_axes(in[3].axes, {in[0].axes[1], in[0].axes[2]}, "sinks");
  if (window < 0 || chunk < 0) shape_error("window and chunk are at least 0");
  return {{Kind::real, {tokens_axis(), in[0].axes[1], in[0].axes[2], in[2].axes[2]}}};
}

int64_t Attention::flops(Types in, const Workload& load) const {
  const int64_t heads = in[0].axes[1].size * in[0].axes[2].size, d = in[0].axes[3].size,
                dv = in[2].axes[2].size;
  // Per visible key: dot product and scale, softcap, subtract and exp and sum, weigh and add the
  // value.
  int64_t per_key = 2 * d + 1 + (softcap > 0 ? 3 : 0) + 3 + 2 * dv;
  int64_t flops = heads * visible_keys(load, window, chunk) * per_key;
  // Per query: 1 / sum and the scaling of the output; the sink's subtract, exp and add.
  flops += heads * load.tokens() * (1 + dv + (in.size() == 4 ? 3 : 0));
  return flops + heads * scaled_keys(load);
}

double Attention::score_factor(int64_t position) const {
  if (log_length <= 0 || position <= log_length) return 1;
  return std::log2(static_cast<double>(position)) / std::log2(static_cast<double>(log_length));
}

int64_t Attention::scaled_keys(const Workload& load) const {
  int64_t keys = 0;
  for (const Workload::Run& r : load.runs) {
    for (int64_t i = 0; log_length > 0 && i < r.count; ++i) {
      if (r.first + i > log_length) keys += visible_keys(r.first + i, window, chunk);
    }
  }
  return keys;
}

std::vector<Value> Attention::derivative(Builder& b, Values in, Values, Values dy) const {
  std::vector<Value> read{in[0], in[1], in[2], dy[0]};
  if (in.size() == 4) read.push_back(in[3]);
  return b.add(AttentionGrad{*this}, read);
}

template <class F>
void Attention::meaning(const In<F>& in, Out<F>& out) const {
  using std::exp;
  using W = Wide<F>;
  const int64_t kv_heads = in[0].sizes[1], group = in[0].sizes[2], d = in[0].sizes[3],
                dv = in[2].sizes[2];
  std::vector<W> scores, sums;
  each_query(in.batch, [&](int64_t t, const std::vector<int64_t>& visible, double factor) {
    for (int64_t h = 0; h < kv_heads * group; ++h) {
      const int64_t kv = h / group;
      const F* q = in[0].values.data() + (t * kv_heads * group + h) * d;
      scores.assign(visible.size(), W(0));
      sums.assign(static_cast<size_t>(dv), W(0));
      W peak = in.size() == 4 ? W(in[3].values[static_cast<size_t>(h)]) : W(-1e30);
      for (size_t j = 0; j < visible.size(); ++j) {
        const F* k = in[1].values.data() + (visible[j] * kv_heads + kv) * d;
        scores[j] = score<W>(q, k, d, factor);
        if (scores[j] > peak) peak = scores[j];
      }
      F* o = out[0].values.data() + (t * kv_heads * group + h) * dv;
      W sum = 0;
      if (in.size() == 4) sum += exp(W(in[3].values[static_cast<size_t>(h)]) - peak);
      for (size_t j = 0; j < visible.size(); ++j) {
        const W p = exp(scores[j] - peak);
        sum += p;
        const F* v = in[2].values.data() + (visible[j] * kv_heads + kv) * dv;
        for (size_t i = 0; i < sums.size(); ++i) sums[i] += p * W(v[i]);
      }
      const W r = W(1) / sum;
      for (size_t i = 0; i < sums.size(); ++i) o[i] = F(sums[i] * r);
    }
  });
}

std::vector<Type> LatentAttention::types(Types in) const {
  expect_inputs(in, 6, 6);
  for (size_t i = 0; i < 4; ++i) expect_tokens(in[i], "q_nope, q_rope, latent, k_rope");
  expect_weight(in[4], "w_k");
  expect_weight(in[5], "w_v");
  expect_form(in[0], "[tokens, heads, qk_nope]", "q_nope");
  expect_form(in[2], "[tokens, latent]", "latent");
  const Axis heads = in[0].axes[1], nope = in[0].axes[2], latent = in[2].axes[1];
  const Axis rope = last_axes(in[3], 1, "k_rope")[0];
  expect_axes(in[1].axes, {tokens_axis(), heads, rope}, "q_rope");
  expect_axes(in[3].axes, {tokens_axis(), rope}, "k_rope");
  expect_axes(in[4].axes, {heads, nope, latent}, "w_k");
  expect_form(in[5], "[heads, value_dim, latent]", "w_v");
  expect_axes(in[5].axes, {heads, in[5].axes[1], latent}, "w_v");
  return {{Kind::real, {tokens_axis(), heads, in[5].axes[1]}}};
}

int64_t LatentAttention::flops(Types in, const Workload& load) const {
  // Of the expanded form, as published FLOP counts are: decompress k and v, then plain attention.
  const int64_t heads = in[0].axes[1].size, n = in[0].axes[2].size, p = in[1].axes[2].size,
                r = in[2].axes[1].size;
  const int64_t v = in[5].axes[1].size;
  const int64_t expand = load.tokens() * heads * 2 * r * (n + v);
  const int64_t keys = visible_keys(load, 0, 0);
  return expand + heads * keys * (2 * (n + p) + 1 + 3 + 2 * v) + heads * load.tokens() * (1 + v);
}

std::vector<Value> LatentAttention::expand(Builder& b, Values in) const {
  const Axis heads = in[0].axis("heads");
  const Value k_nope = b.add1(Linear{}, {in[2], in[4]}, "k_nope");
  const Value k_rope = b.add1(Repeat{.axis = heads.name, .count = heads.size}, {in[3]});
  const Value k = b.add1(Concat{.axis = "qk"}, {k_nope, k_rope}, "k");
  const Value q = b.add1(Concat{.axis = "qk"}, {in[0], in[1]}, "q");
  const Value v = b.add1(Linear{}, {in[2], in[5]}, "v");
  const int64_t qk = q.axis("qk").size;
  const Axis value = v.type().axes.back();
  const auto named = [](const Axis& a) { return a.name + "=" + std::to_string(a.size); };
  const Value grouped =
      b.add1(Rename{.axes = named(heads) + ";group=1;qk=" + std::to_string(qk)}, {q});
  const Value o = b.add1(Attention{.scale = scale}, {grouped, k, v}, "scores");
  return {b.add1(Rename{.axes = named(heads) + ";" + named(value)}, {o})};
}

std::vector<Value> LatentAttention::derivative(Builder& b, Values in, Values, Values dy) const {
  std::vector<Value> read(in.begin(), in.end());
  read.push_back(dy[0]);
  return b.add(LatentAttentionGrad{*this}, read);
}

ASHLAR_OP(Attention)
ASHLAR_OP(LatentAttention)

}  // namespace ashlar
