// The gradient of the gated delta rule in plain loops.
#include "ops/delta_rule_grad.h"

#include <cmath>

#include "graph/op_model.h"
#include "ops/sequences.h"

namespace ashlar {

std::vector<Type> LogDecayGrad::types(Types in) const {
  expect_inputs(in, 4, 4);
  const Type forward[] = {in[0], in[2], in[3]};
  LogDecay{}.types(forward);
  expect_kind(in[1], Kind::real, "dg");
  expect_axes(in[1].axes, in[0].axes, "dg against a");
  return {in[0], in[2], in[3]};
}

int64_t LogDecayGrad::flops(Types in, const Workload& load) const {
  // Per head exp. Per number a + b, ln(1 + e^x) (4), the sigmoid (2), da (2), the sums (3).
  return load.tokens() * (in[2].feature_count() + 12 * in[0].feature_count());
}

template <class F>
void LogDecayGrad::meaning(const In<F>& in, Out<F>& out) const {
  using std::exp;
  using std::log;
  using W = Wide<F>;
  const int64_t heads = in[2].elements(), n = in[3].elements() / heads;
  std::vector<W> da_log(in[2].values.size(), W(0)), dbias(in[3].values.size(), W(0));
  for (int64_t g = 0; g < in[0].elements() / n; ++g) {
    const auto head = static_cast<size_t>(g % heads);
    const W rate = -exp(W(in[2].values[head]));
    for (int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<size_t>(g * n + i),
                 bias = head * static_cast<size_t>(n) + static_cast<size_t>(i);
      const W x = W(in[0].values[at]) + W(in[3].values[bias]), minus = -x;
      const W e = exp(x > W(0) ? minus : x), whole = W(1) + e;
      const W softplus = (x > W(0) ? x : W(0)) + log(whole);
      const W small = e / whole, large = W(1) - small;
      const W dg = W(in[1].values[at]), scaled = rate * dg;
      const W da = scaled * (x > W(0) ? large : small);
      out[0].values[at] = F(da);
      dbias[bias] += da;
      da_log[head] += scaled * softplus;
    }
  }
  for (size_t i = 0; i < da_log.size(); ++i) out[1].values[i] = F(da_log[i]);
  for (size_t i = 0; i < dbias.size(); ++i) out[2].values[i] = F(dbias[i]);
}

std::vector<Type> GatedDeltaRuleGrad::types(Types in) const {
  expect_inputs(in, 6, 6);
  std::vector<Type> types(in.begin(), in.end() - 1);
  const Type o = forward.types(types)[0];
  expect(in[5], Kind::real, o.axes, "do");
  return types;
}

namespace {

/// One value head of one sequence: its rows in the arrays, and the pass over them.
template <class F>
struct BackwardPass {
  using W = Wide<F>;
  const In<F>& in;
  Out<F>& out;
  GatedDeltaRule::Head head;
  double scale;
  const std::vector<int64_t>& rows;
  int64_t key_heads, heads, key_head, value_head;
  std::vector<W>&dq, &dk;  // of all rows, shared by the value heads of a key head

  size_t key(size_t n) const {
    return static_cast<size_t>((rows[n] * key_heads + key_head) * head.key_dim);
  }
  size_t value(size_t n) const { return static_cast<size_t>(rows[n] * heads + value_head); }
  const F* number(size_t input, size_t at) const { return in[input].values.data() + at; }
  size_t dv() const { return static_cast<size_t>(head.value_dim); }
  size_t decays() const { return static_cast<size_t>(head.decays); }

  void advance(size_t n, W* state, W* error, W* u) const {
    GatedDeltaRule::advance(head, state, number(1, key(n)), number(2, value(n) * dv()),
                            number(3, value(n) * decays()), *number(4, value(n)), error, u);
  }

  void run() {
    const size_t count = rows.size(), size = static_cast<size_t>(head.state());
    const auto span = static_cast<size_t>(std::ceil(std::sqrt(static_cast<double>(count))));
    std::vector<W> state(size, W(0)), dstate(size, W(0)), error(dv()), u(dv());
    std::vector<W> kept, between(span * size);  // states before every span-th row, and of a span
    for (size_t n = 0; n < count; ++n) {
      if (n % span == 0) kept.insert(kept.end(), state.begin(), state.end());
      advance(n, state.data(), error.data(), u.data());
    }
    for (size_t begin = (count - 1) / span * span;; begin -= span) {
      const size_t end = std::min(count, begin + span);
      std::copy_n(kept.begin() + static_cast<int64_t>(begin / span * size), size, state.begin());
      for (size_t n = begin; n < end; ++n) {
        std::copy(state.begin(), state.end(),
                  between.begin() + static_cast<int64_t>((n - begin) * size));
        advance(n, state.data(), error.data(), u.data());
      }
      for (size_t n = end; n-- > begin;) back(n, between.data() + (n - begin) * size, dstate);
      if (begin == 0) break;
    }
  }

  /// `state` is that before row n; it becomes that after it on the way.
  void back(size_t n, W* state, std::vector<W>& dstate) {
    using std::exp;
    std::vector<W> error(dv()), u(dv()), du(dv(), W(0)), kept(decays());
    for (size_t c = 0; c < kept.size(); ++c) kept[c] = exp(W(*number(3, value(n) * decays() + c)));
    advance(n, state, error.data(), u.data());
    const F *q = number(0, key(n)), *k = number(1, key(n)), *dout = number(5, value(n) * dv());
    W* dq_n = dq.data() + n * static_cast<size_t>(head.key_dim);
    W* dk_n = dk.data() + n * static_cast<size_t>(head.key_dim);
    const W beta = W(*number(4, value(n)));
    for (size_t i = 0; i < static_cast<size_t>(head.key_dim); ++i) {
      W *s = state + i * dv(), *ds = dstate.data() + i * dv();
      const W query = W(scale) * W(q[i]), key_i = W(k[i]);
      W sum = 0;
      for (size_t j = 0; j < dv(); ++j) {
        ds[j] += query * W(dout[j]);
        sum += s[j] * W(dout[j]);
        du[j] += ds[j] * key_i;
        dk_n[i] += ds[j] * u[j];
        s[j] -= key_i * u[j];  // as it was between decay and correction
      }
      dq_n[i] += W(scale) * sum;
    }
    W dbeta = 0;
    F* dvalue = out[2].values.data() + value(n) * dv();
    for (size_t j = 0; j < dv(); ++j) {
      dbeta += du[j] * error[j];
      du[j] *= beta;
      dvalue[j] = F(du[j]);
    }
    out[4].values[value(n)] = F(dbeta);
    std::vector<W> ddecay(decays(), W(0));
    for (size_t i = 0; i < static_cast<size_t>(head.key_dim); ++i) {
      const W *s = state + i * dv(), key_i = W(k[i]);
      W* ds = dstate.data() + i * dv();
      const size_t c = decays() == 1 ? 0 : i;
      for (size_t j = 0; j < dv(); ++j) {
        dk_n[i] -= s[j] * du[j];
        ds[j] -= key_i * du[j];
        ddecay[c] += ds[j] * s[j];
        ds[j] *= kept[c];
      }
    }
    for (size_t c = 0; c < decays(); ++c) out[3].values[value(n) * decays() + c] = F(ddecay[c]);
  }
};

}  // namespace

int64_t GatedDeltaRuleGrad::flops(Types in, const Workload& load) const {
  const int64_t heads = in[4].feature_count(), dk = in[0].axes[2].size, dv = in[2].axes[3].size;
  const int64_t decays = in[3].axes.size() == 4 ? dk : 1;
  // The state is advanced three times (each e^g, 5 dk dv, dv). Then e^g; per number of the state
  // ten, seven on the way to the decayed state's gradient; q and dq's scale; beta's gradient and
  // dv.
  const int64_t advance = decays + 5 * dk * dv + dv;
  return load.tokens() * heads * (3 * advance + decays + 17 * dk * dv + 3 * dk + 3 * dv);
}

template <class F>
void GatedDeltaRuleGrad::meaning(const In<F>& in, Out<F>& out) const {
  using W = Wide<F>;
  const int64_t key_heads = in[2].sizes[1], group = in[2].sizes[2], dk = in[0].sizes[2];
  const GatedDeltaRule::Head head{dk, in[2].sizes[3], in[3].sizes.size() == 4 ? dk : 1};
  for (const auto& [sequence, rows] : rows_by_sequence(in.batch)) {
    for (int64_t key_head = 0; key_head < key_heads; ++key_head) {
      std::vector<W> dq(rows.size() * static_cast<size_t>(dk), W(0)), dk_rows = dq;
      for (int64_t g = 0; g < group; ++g) {
        BackwardPass<F>{in,
                        out,
                        head,
                        forward.scale,
                        rows,
                        key_heads,
                        key_heads * group,
                        key_head,
                        key_head * group + g,
                        dq,
                        dk_rows}
            .run();
      }
      for (size_t n = 0; n < rows.size(); ++n) {
        const auto from = static_cast<size_t>((rows[n] * key_heads + key_head) * dk);
        for (size_t i = 0; i < static_cast<size_t>(dk); ++i) {
          out[0].values[from + i] = F(dq[n * static_cast<size_t>(dk) + i]);
          out[1].values[from + i] = F(dk_rows[n * static_cast<size_t>(dk) + i]);
        }
      }
    }
  }
}

ASHLAR_OP(LogDecayGrad)
ASHLAR_OP(GatedDeltaRuleGrad)

}  // namespace ashlar
