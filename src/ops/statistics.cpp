// Plain loops; sums in double.
#include "ops/statistics.h"

#include "graph/op_model.h"
#include "ops/types.h"

namespace ashlar {

std::vector<Type> MeanSquare::types(Types in) const {
  expect_inputs(in, 1, 1);
  expect_tokens(in[0], "x");
  return {{Kind::real, {}}};
}

int64_t MeanSquare::flops(Types in, const Workload& load) const {
  return 3 * load.tokens() * in[0].feature_count();
}

template <class F>
void MeanSquare::meaning(const In<F>& in, Out<F>& out) const {
  using W = Wide<F>;
  const size_t n = in[0].values.size();
  const W share(n == 0 ? 0 : 1 / static_cast<double>(n));
  W sum = 0;
  for (const F& x : in[0].values) sum += W(x) * W(x) * share;
  out[0].values[0] = F(sum);
}

std::vector<Type> ScoreStatistics::types(Types in) const {
  expect_inputs(in, 2, 3);
  // Keys stand for values, which the scores do not read.
  std::vector<Type> whole{in[0], in[1], in[1]};
  if (in.size() == 3) whole.push_back(in[2]);
  attention.types(whole);
  const Type heads{Kind::real, {in[0].axes[1], in[0].axes[2]}};
  return {heads, heads};
}

int64_t ScoreStatistics::flops(Types in, const Workload& load) const {
  const int64_t heads = in[0].axes[1].size * in[0].axes[2].size, d = in[0].axes[3].size;
  // Per visible key: dot product and scale, softcap; subtract, exp, and two sums.
  const int64_t per_key = 2 * d + 1 + (attention.softcap > 0 ? 3 : 0) + 5;
  int64_t flops = heads * visible_keys(load, attention.window, attention.chunk) * per_key;
  // Per query: the entropy of its sums, and its share of the mean; the sink's subtract, exp, sums.
  flops += heads * load.tokens() * (5 + (in.size() == 3 ? 5 : 0));
  return flops + heads * attention.scaled_keys(load);
}

template <class F>
void ScoreStatistics::meaning(const In<F>& in, Out<F>& out) const {
  using std::exp;
  using std::log;
  using W = Wide<F>;
  const int64_t kv_heads = in[0].sizes[1], group = in[0].sizes[2], d = in[0].sizes[3],
                heads = kv_heads * group;
  std::vector<W> scores, largest(static_cast<size_t>(heads), W(-1e30)),
      entropy(static_cast<size_t>(heads), W(0));
  const W share(in.batch.size() == 0 ? 0 : 1 / static_cast<double>(in.batch.size()));
  attention.each_query(
      in.batch, [&](int64_t t, const std::vector<int64_t>& visible, double factor) {
        for (int64_t h = 0; h < heads; ++h) {
          const F* q = in[0].values.data() + (t * heads + h) * d;
          scores.assign(visible.size(), W(0));
          const auto at = static_cast<size_t>(h);
          W peak = -1e30;
          for (size_t j = 0; j < visible.size(); ++j) {
            const F* k = in[1].values.data() + (visible[j] * kv_heads + h / group) * d;
            scores[j] = attention.score<W>(q, k, d, factor);
            if (scores[j] > peak) peak = scores[j];
          }
          if (peak > largest[at]) largest[at] = peak;
          if (in.size() == 3) {
            scores.push_back(W(in[2].values[at]));
            if (scores.back() > peak) peak = scores.back();
          }
          W sum = 0, weighted = 0;
          for (const W& s : scores) {
            const W below = s - peak, p = exp(below);
            sum += p;
            weighted += p * below;
          }
          entropy[at] += (log(sum) - weighted / sum) * share;
        }
      });
  for (size_t h = 0; h < largest.size(); ++h) {
    out[0].values[h] = F(largest[h]);
    out[1].values[h] = F(entropy[h]);
  }
}

ASHLAR_OP(MeanSquare)
ASHLAR_OP(ScoreStatistics)

}  // namespace ashlar
