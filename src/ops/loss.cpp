// Cross-entropy and the mean over scored tokens in plain loops.
#include "ops/loss.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "graph/op_model.h"

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

int64_t checked_id(int64_t id, int64_t vocab) {
  if (id < 0 || id >= vocab)
    fail(ErrorKind::invalid, "token id {}: expected 0 to {}", id, vocab - 1);
  return id;
}

template <class F>
F largest(const F* z, int64_t n) {
  F peak = z[0];
  for (int64_t i = 1; i < n; ++i) peak = z[i] > peak ? z[i] : peak;
  return peak;
}

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
  return {b.add1(CrossEntropyGrad{ahead}, {in[0], in[1], dy[0]}), {}};
}

template <class F>
void CrossEntropy::meaning(const In<F>& in, Out<F>& out) const {
  using std::exp;
  using std::log;
  using W = Wide<F>;
  const int64_t vocab = in[0].sizes[1];
  const std::vector<int64_t> next = next_rows(in.batch, ahead);
  for (size_t t = 0; t < next.size(); ++t) {
    if (next[t] < 0) continue;
    const F* z = in[0].values.data() + t * static_cast<size_t>(vocab);
    const int64_t target = checked_id(in[1].indices[static_cast<size_t>(next[t])], vocab);
    const F peak = largest(z, vocab);
    W sum = 0;
    for (int64_t i = 0; i < vocab; ++i) sum += exp(W(z[i]) - W(peak));
    out[0].values[t] = F(log(sum) - (W(z[target]) - W(peak)));
  }
}

std::vector<Type> CrossEntropyGrad::types(Types in) const {
  expect_ahead(ahead);
  expect_inputs(in, 3, 3);
  expect_logits(in);
  expect(in[2], Kind::real, {tokens_axis()}, "dl");
  return {in[0]};
}

int64_t CrossEntropyGrad::flops(Types in, const Workload& load) const {
  return scored_tokens(load, ahead) * (4 * in[0].axes[1].size + 2);
}

template <class F>
void CrossEntropyGrad::meaning(const In<F>& in, Out<F>& out) const {
  using std::exp;
  using W = Wide<F>;
  const int64_t vocab = in[0].sizes[1];
  const std::vector<int64_t> next = next_rows(in.batch, ahead);
  for (size_t t = 0; t < next.size(); ++t) {
    if (next[t] < 0) continue;
    const F* z = in[0].values.data() + t * static_cast<size_t>(vocab);
    F* dz = out[0].values.data() + t * static_cast<size_t>(vocab);
    const int64_t target = checked_id(in[1].indices[static_cast<size_t>(next[t])], vocab);
    const F peak = largest(z, vocab);
    std::vector<W> p(static_cast<size_t>(vocab));
    W sum = 0;
    for (int64_t i = 0; i < vocab; ++i) {
      p[static_cast<size_t>(i)] = exp(W(z[i]) - W(peak));
      sum += p[static_cast<size_t>(i)];
    }
    const W r = W(in[2].values[t]) / sum;
    for (W& v : p) v *= r;
    p[static_cast<size_t>(target)] -= W(in[2].values[t]);
    for (int64_t i = 0; i < vocab; ++i) dz[i] = F(p[static_cast<size_t>(i)]);
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
  using std::exp;
  using std::log;
  using W = Wide<F>;
  const int64_t n = in[0].sizes[1];
  for (size_t t = 0; t < static_cast<size_t>(in.batch.size()); ++t) {
    const F* z = in[0].values.data() + t * static_cast<size_t>(n);
    const F peak = largest(z, n);
    W sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += exp(W(z[i]) - W(peak));
    out[0].values[t] = F(log(sum) + W(peak));
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
  using std::exp;
  using W = Wide<F>;
  const auto n = static_cast<size_t>(in[0].sizes[1]);
  std::vector<W> p(n);
  for (size_t t = 0; t < static_cast<size_t>(in.batch.size()); ++t) {
    const F* z = in[0].values.data() + t * n;
    const F peak = largest(z, static_cast<int64_t>(n));
    W sum = 0;
    for (size_t i = 0; i < n; ++i) {
      p[i] = exp(W(z[i]) - W(peak));
      sum += p[i];
    }
    const W r = W(in[1].values[t]) / sum;
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
  return {b.add1(ScoredMeanGrad{all, ahead}, {dy[0]})};
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
  expect_ahead(ahead);
  expect_inputs(in, 1, 1);
  expect_weight(in[0], "dy");
  expect_axes(in[0].axes, {}, "dy");
  return {{Kind::real, {tokens_axis()}}};
}

int64_t ScoredMeanGrad::flops(Types, const Workload& load) const {
  return all ? load.tokens() : scored_tokens(load, ahead);
}

template <class F>
void ScoredMeanGrad::meaning(const In<F>& in, Out<F>& out) const {
  const std::vector<int64_t> next = next_rows(in.batch, ahead);
  const F weight = F(scored_weight(next, all));
  for (size_t t = 0; t < next.size(); ++t) {
    if (all || next[t] >= 0) out[0].values[t] = in[0].values[0] * weight;
  }
}

ASHLAR_OP(CrossEntropy)
ASHLAR_OP(CrossEntropyGrad)
ASHLAR_OP(LogSumExp)
ASHLAR_OP(LogSumExpGrad)
ASHLAR_OP(ScoredMean)
ASHLAR_OP(ScoredMeanGrad)

}  // namespace ashlar
