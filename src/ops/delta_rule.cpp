// The gated delta rule and its decay in plain loops.
#include "ops/delta_rule.h"

#include "graph/op_model.h"
#include "ops/delta_rule_grad.h"
#include "ops/sequences.h"
#include "ops/types.h"

namespace ashlar {

std::vector<Type> LogDecay::types(Types in) const {
  expect_inputs(in, 3, 3);
  expect_tokens(in[0], "a");
  expect_weight(in[1], "a_log");
  expect_weight(in[2], "dt_bias");
  const Axes features = in[0].features();
  expect_axes(in[2].axes, features, "dt_bias");
  const size_t heads = std::min(in[1].axes.size(), features.size());
  if (heads == 0) shape_error("a_log: expected [heads...], found " + to_string(in[1]));
  expect_axes(in[1].axes, {features.begin(), features.begin() + static_cast<int64_t>(heads)},
              "a_log against a's leading axes");
  return {in[0]};
}

int64_t LogDecay::flops(Types in, const Workload& load) const {
  // Per head exp; per number a + b, exp, 1 +, ln, max(x, 0) +, times.
  return load.tokens() * (in[1].feature_count() + 6 * in[0].feature_count());
}

std::vector<Value> LogDecay::derivative(Builder& b, Values in, Values, Values dy) const {
  return b.add(LogDecayGrad{}, {in[0], dy[0], in[1], in[2]});
}

template <class F>
void LogDecay::meaning(const In<F>& in, Out<F>& out) const {
  using std::exp;
  using std::log;
  using W = Wide<F>;
  const int64_t heads = in[1].elements(), n = in[2].elements() / heads;
  for (int64_t g = 0; g < in[0].elements() / n; ++g) {
    const int64_t head = g % heads;
    const W rate = -exp(W(in[1].values[static_cast<size_t>(head)]));
    for (int64_t i = 0; i < n; ++i) {
      const W x = W(in[0].values[static_cast<size_t>(g * n + i)]) +
                  W(in[2].values[static_cast<size_t>(head * n + i)]);
      const W minus = -x;  // ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|) does not overflow
      const W softplus = (x > W(0) ? x : W(0)) + log(W(1) + exp(x > W(0) ? minus : x));
      out[0].values[static_cast<size_t>(g * n + i)] = F(rate * softplus);
    }
  }
}

std::vector<Type> GatedDeltaRule::types(Types in) const {
  expect_inputs(in, 5, 5);
  for (const Type& type : in) {
    expect_tokens(type, "q, k, v, decay and beta");
  }
  expect_form(in[0], "[tokens, key_heads, key_dim]", "q");
  expect_axes(in[1].axes, in[0].axes, "k against q");
  expect_form(in[2], "[tokens, key_heads, group, value_dim]", "v");
  const Axes heads{in[2].axes.begin(), in[2].axes.end() - 1};
  expect_axes({heads[1]}, {in[0].axes[1]}, "v's heads against q's");
  expect_axes(in[4].axes, heads, "beta");
  Axes channels = heads;
  channels.push_back(in[0].axes[2]);
  expect_axes(in[3].axes, in[3].axes.size() == 4 ? channels : heads, "decay");
  return {in[2]};
}

int64_t GatedDeltaRule::flops(Types in, const Workload& load) const {
  const int64_t heads = in[4].feature_count(), dk = in[0].axes[2].size, dv = in[2].axes[3].size;
  // e^g; decay, prediction, correction and output of each number of the state; u, and o's scale.
  const int64_t decays = in[3].axes.size() == 4 ? dk : 1;
  return load.tokens() * heads * (decays + 7 * dk * dv + 2 * dv);
}

std::vector<Value> GatedDeltaRule::derivative(Builder& b, Values in, Values, Values dy) const {
  return b.add(GatedDeltaRuleGrad{{.scale = scale}}, {in[0], in[1], in[2], in[3], in[4], dy[0]});
}

template <class F>
void GatedDeltaRule::meaning(const In<F>& in, Out<F>& out) const {
  using W = Wide<F>;
  const int64_t key_heads = in[2].sizes[1], group = in[2].sizes[2], heads = key_heads * group;
  const Head head{in[0].sizes[2], in[2].sizes[3], in[3].sizes.size() == 4 ? in[0].sizes[2] : 1};
  std::vector<W> work(static_cast<size_t>(2 * head.value_dim));
  for (const auto& [sequence, rows] : rows_by_sequence(in.batch)) {
    std::vector<W> state(static_cast<size_t>(heads * head.state()), W(0));
    for (const int64_t t : rows) {
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t key = (t * key_heads + h / group) * head.key_dim, value = t * heads + h;
        step(head, scale, state.data() + h * head.state(), in[0].values.data() + key,
             in[1].values.data() + key, in[2].values.data() + value * head.value_dim,
             in[3].values.data() + value * head.decays, in[4].values[static_cast<size_t>(value)],
             work.data(), out[0].values.data() + value * head.value_dim);
      }
    }
  }
}

ASHLAR_OP(LogDecay)
ASHLAR_OP(GatedDeltaRule)

}  // namespace ashlar
