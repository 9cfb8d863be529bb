// Cross-entropy and the mean over scored tokens in plain loops.
#include "ops/loss.h"

#include <algorithm>
#include <map>

#include "graph/op_model.h"
#include "ops/types.h"

namespace ashlar {

std::vector<int64_t> next_rows(const TokenBatch& batch, int64_t ahead) {
  std::vector<int64_t> next(static_cast<size_t>(batch.size()), -1);
  std::map<int32_t, size_t> last;  // sequence -> its last row so far
  for (size_t t = 0; t < next.size(); ++t) {
    const auto [it, first] = last.emplace(batch.sequences[t], t);
    if (!first) next[it->second] = static_cast<int64_t>(t);
    it->second = t;
  }
  std::vector<int64_t> far = next;
  for (int64_t k = 1; k < ahead; ++k) {
    for (int64_t& row : far) row = row < 0 ? -1 : next[static_cast<size_t>(row)];
  }
  return far;
}

namespace {

/// Tokens of the workload that are scored. The first ones of a run that continues a sequence make
/// those before them, which had no successor until then, scored as well.
int64_t scored_tokens(const Workload& load, int64_t ahead) {
  const auto of_whole = [&](int64_t tokens) { return std::max<int64_t>(0, tokens - ahead); };
  int64_t n = 0;
  for (const Workload::Run& r : load.runs) n += of_whole(r.first + r.count) - of_whole(r.first);
  return n;
}

void expect_ahead(int64_t ahead) {
  if (ahead < 1) shape_error("ahead: expected at least 1");
}

/// 1 / N of the batch; 0 when no token is scored.
double scored_weight(const std::vector<int64_t>& next, bool all) {
  int64_t n = 0;
  for (const int64_t row : next) n += all || row >= 0 ? 1 : 0;
  return n == 0 ? 0 : 1 / static_cast<double>(n);
}

void expect_logits(Types in) {
  expect_rows(in[0], "vocab", "logits");
  expect(in[1], Kind::index, {tokens_axis()}, "ids");
}

/// The largest of n logits (the peak), and the sum of exp(z - peak); each exp(z - peak) is put into `p`.
template <class W>
struct Exponentials {
  W peak, sum = 0;
  template <class F>
  Exponentials(const F* z, size_t n, W* p = nullptr) : peak(*std::max_element(z, z + n)) {
    using std::exp;
    for (size_t i = 0; i < n; ++i) {
      const W e = exp(W(z[i]) - peak);
      if (p != nullptr) p[i] = e;
      sum += e;
    }
  }
};

}  // namespace

std::vector<Type> CrossEntropy::types(Types in) const {
  expect_ahead(ahead);
  expect_inputs(in, 2, 2);
  expect_logits(in);
  return {{Kind::real, {tokens_axis()}}};
}

int64_t CrossEntropy::flops(Types in, const Workload& load) const {
  return scored_tokens(load, ahead) * (3 * in[0].axes[1].size + 3);
}

std::vector<Value> CrossEntropy::derivative(Builder& b, Values in, Values, Values dy) const {
  return {b.add1(CrossEntropyGrad{*this}, {in[0], in[1], dy[0]}), {}};
}

template <class F>
void CrossEntropy::meaning(const In<F>& in, Out<F>& out) const {
  using std::log;
  using W = Wide<F>;
  const int64_t vocab = in[0].sizes[1];
  const std::vector<int64_t> next = next_rows(in.batch, ahead);
  for (size_t t = 0; t < next.size(); ++t) {
    if (next[t] < 0) continue;
    const F* z = in[0].values.data() + t * static_cast<size_t>(vocab);
    const int64_t target =
        checked_row(in[1].indices[static_cast<size_t>(next[t])], vocab, "token id");
    const Exponentials<W> e(z, static_cast<size_t>(vocab));
    out[0].values[t] = F(log(e.sum) - (W(z[target]) - e.peak));
  }
}

std::vector<Type> CrossEntropyGrad::types(Types in) const {
  expect_ahead(forward.ahead);
  expect_inputs(in, 3, 3);
  expect_logits(in);
  expect(in[2], Kind::real, {tokens_axis()}, "dl");
  return {in[0]};
}

int64_t CrossEntropyGrad::flops(Types in, const Workload& load) const {
  return scored_tokens(load, forward.ahead) * (4 * in[0].axes[1].size + 2);
}

template <class F>
void CrossEntropyGrad::meaning(const In<F>& in, Out<F>& out) const {
  using W = Wide<F>;
  const int64_t vocab = in[0].sizes[1];
  const std::vector<int64_t> next = next_rows(in.batch, forward.ahead);
  std::vector<W> p(static_cast<size_t>(vocab));
  for (size_t t = 0; t < next.size(); ++t) {
    if (next[t] < 0) continue;
    const F* z = in[0].values.data() + t * static_cast<size_t>(vocab);
    F* dz = out[0].values.data() + t * static_cast<size_t>(vocab);
    const int64_t target =
        checked_row(in[1].indices[static_cast<size_t>(next[t])], vocab, "token id");
    const W dl = W(in[2].values[t]), r = dl / Exponentials<W>(z, p.size(), p.data()).sum;
    for (W& v : p) v *= r;
    p[static_cast<size_t>(target)] -= dl;
    for (size_t i = 0; i < p.size(); ++i) dz[i] = F(p[i]);
  }
}

std::vector<Type> LogSumExp::types(Types in) const {
  expect_inputs(in, 1, 1);
  expect_rows(in[0], "n", "logits");
  return {{Kind::real, {tokens_axis()}}};
}

int64_t LogSumExp::flops(Types in, const Workload& load) const {
  return load.tokens() * (3 * in[0].axes[1].size + 2);
}

std::vector<Value> LogSumExp::derivative(Builder& b, Values in, Values, Values dy) const {
  return {b.add1(LogSumExpGrad{}, {in[0], dy[0]})};
}

template <class F>
void LogSumExp::meaning(const In<F>& in, Out<F>& out) const {
  using std::log;
  const auto n = static_cast<size_t>(in[0].sizes[1]);
  for (size_t t = 0; t < static_cast<size_t>(in.batch.size()); ++t) {
    const Exponentials<Wide<F>> e(in[0].values.data() + t * n, n);
    out[0].values[t] = F(log(e.sum) + e.peak);
  }
}

std::vector<Type> LogSumExpGrad::types(Types in) const {
  expect_inputs(in, 2, 2);
  expect_rows(in[0], "n", "logits");
  expect(in[1], Kind::real, {tokens_axis()}, "dy");
  return {in[0]};
}

int64_t LogSumExpGrad::flops(Types in, const Workload& load) const {
  return load.tokens() * (4 * in[0].axes[1].size + 1);
}

template <class F>
void LogSumExpGrad::meaning(const In<F>& in, Out<F>& out) const {
  using W = Wide<F>;
  const auto n = static_cast<size_t>(in[0].sizes[1]);
  std::vector<W> p(n);
  for (size_t t = 0; t < static_cast<size_t>(in.batch.size()); ++t) {
    const W r = W(in[1].values[t]) / Exponentials<W>(in[0].values.data() + t * n, n, p.data()).sum;
    for (size_t i = 0; i < n; ++i) out[0].values[t * n + i] = F(p[i] * r);
  }
}

std::vector<Type> ScoredMean::types(Types in) const {
  expect_ahead(ahead);
  expect_inputs(in, 1, 1);
  expect(in[0], Kind::real, {tokens_axis()}, "x");
  return {{Kind::real, {}}};
}

int64_t ScoredMean::flops(Types, const Workload& load) const {
  return 2 * (all ? load.tokens() : scored_tokens(load, ahead));
}

std::vector<Value> ScoredMean::derivative(Builder& b, Values, Values, Values dy) const {
  return {b.add1(ScoredMeanGrad{*this}, {dy[0]})};
}

template <class F>
void ScoredMean::meaning(const In<F>& in, Out<F>& out) const {
  const std::vector<int64_t> next = next_rows(in.batch, ahead);
  using W = Wide<F>;
  const W weight = W(scored_weight(next, all));
  W sum = 0;
  for (size_t t = 0; t < next.size(); ++t) {
    if (all || next[t] >= 0) sum += W(in[0].values[t]) * weight;
  }
  out[0].values[0] = F(sum);
}

std::vector<Type> ScoredMeanGrad::types(Types in) const {
  expect_ahead(forward.ahead);
  expect_inputs(in, 1, 1);
  expect_weight(in[0], "dy");
  expect_axes(in[0].axes, {}, "dy");
  return {{Kind::real, {tokens_axis()}}};
}

int64_t ScoredMeanGrad::flops(Types, const Workload& load) const {
  return forward.all ? load.tokens() : scored_tokens(load, forward.ahead);
}

template <class F>
void ScoredMeanGrad::meaning(const In<F>& in, Out<F>& out) const {
  const std::vector<int64_t> next = next_rows(in.batch, forward.ahead);
  const F weight = F(scored_weight(next, forward.all));
  for (size_t t = 0; t < next.size(); ++t) {
    if (forward.all || next[t] >= 0) out[0].values[t] = in[0].values[0] * weight;
  }
}

ASHLAR_OP(CrossEntropy)
ASHLAR_OP(CrossEntropyGrad)
ASHLAR_OP(LogSumExp)
ASHLAR_OP(LogSumExpGrad)
ASHLAR_OP(ScoredMean)
ASHLAR_OP(ScoredMeanGrad)

}  // namespace ashlar
