// Gradients of elementwise ops in plain loops.
#include "ops/elementwise_grad.h"

#include "graph/op_model.h"
#include "ops/activation.h"
#include "ops/types.h"

namespace ashlar {
namespace {

Type x_and_dy(Types in) {
  expect_inputs(in, 2, 2);
  expect_kind(in[0], Kind::real, "x");
  expect_kind(in[1], Kind::real, "dy");
  expect_axes(in[1].axes, in[0].axes, "dy against x");
  return in[0];
}

template <class F>
F within(F x, F low, F high, F dy) {
  return x < low || x > high ? F(0) : dy;
}

}  // namespace

std::vector<Type> ClampGrad::types(Types in) const { return {x_and_dy(in)}; }
template <class F>
void ClampGrad::meaning(const In<F>& in, Out<F>& out) const {
  for (size_t i = 0; i < in[0].values.size(); ++i)
    out[0].values[i] = within(in[0].values[i], F(forward.low), F(forward.high), in[1].values[i]);
}

std::vector<Type> SoftcapGrad::types(Types in) const {
  if (!(forward.cap > 0))
    shape_error("cap: expected a positive number, found " + attribute_text(forward.cap));
  return {x_and_dy(in)};
}
int64_t SoftcapGrad::flops(Types in, const Workload& load) const {
  return numbers_in(in[0], load) * 5;
}
template <class F>
void SoftcapGrad::meaning(const In<F>& in, Out<F>& out) const {
  using std::tanh;
  using W = Wide<F>;
  for (size_t i = 0; i < in[0].values.size(); ++i) {
    const W t = tanh(W(in[0].values[i]) / W(forward.cap));
    out[0].values[i] = F(W(in[1].values[i]) * (W(1) - t * t));
  }
}

std::vector<Type> ActivateGrad::types(Types in) const { return {x_and_dy(in)}; }
int64_t ActivateGrad::flops(Types in, const Workload& load) const {
  static constexpr int64_t kOperations[] = {kGeluSlopeOperations + 1, kSiluSlopeOperations + 1,
                                            kSigmoidSlopeOperations + 1, 0,
                                            kExactGeluSlopeOperations + 1};
  return numbers_in(in[0], load) * entry_of(kOperations, forward.kind);
}
template <class F>
void ActivateGrad::meaning(const In<F>& in, Out<F>& out) const {
  using W = Wide<F>;
  // By kind; null for relu, which needs no slope.
  constexpr Slope<W> (*kSlopes[])(W) = {gelu_tanh_slope, silu_slope, sigmoid_slope, nullptr,
                                        gelu_slope};
  const auto slope_of = entry_of(kSlopes, forward.kind);
  for (size_t i = 0; i < in[0].values.size(); ++i) {
    const W x = in[0].values[i], dy = in[1].values[i];
    const W relu = x > W(0) ? dy : W(0);
    out[0].values[i] = F(slope_of == nullptr ? relu : dy * slope_of(x).slope);
  }
}

std::vector<Type> Pad::types(Types in) const {
  expect_inputs(in, 1, 1);
  expect_kind(in[0], Kind::real, "x");
  Type y = in[0];
  const Axis last = last_axes(y, 1, "x")[0];
  if (begin < 0 || size < 1 || begin > size - last.size) {
    shape_error("pad " + to_string(y) + " from " + std::to_string(begin) + " on to " +
                std::to_string(size));
  }
  y.axes.back() = {axis, size};
  return {y};
}
std::vector<Value> Pad::derivative(Builder& b, Values in, Values, Values dy) const {
  const Axis last = in[0].type().axes.back();
  return {b.add1(Slice{.begin = begin, .axis = last.name, .size = last.size}, {dy[0]})};
}
template <class F>
void Pad::meaning(const In<F>& in, Out<F>& out) const {
  const int64_t n = in[0].inner(1);
  for (int64_t g = 0; g < in[0].elements() / n; ++g) {
    std::copy_n(in[0].values.data() + g * n, n, out[0].values.data() + g * size + begin);
  }
}

std::vector<Type> GatedGrad::types(Types in) const {
  expect_inputs(in, 3, 3);
  const Type y = forward.types(in.first(2))[0];
  expect_kind(in[2], Kind::real, "dy");
  expect_axes(in[2].axes, y.axes, "dy against gate");
  return {y, y};
}

int64_t gated_grad_operations(GateKind kind) {
  static constexpr int64_t kOperations[] = {kSiluSlopeOperations + 3, kGeluSlopeOperations + 3,
                                            kSigmoidSlopeOperations + 9};
  return entry_of(kOperations, kind);
}

int64_t GatedGrad::flops(Types in, const Workload& load) const {
  return numbers_in(in[0], load) * gated_grad_operations(forward.kind);
}
template <class F>
void GatedGrad::meaning(const In<F>& in, Out<F>& out) const {
  using W = Wide<F>;
  // The limit as the clamp has it, in F: what lies on it is within.
  const W alpha = W(forward.alpha), limit = W(F(forward.limit));
  for (size_t i = 0; i < in[0].values.size(); ++i) {
    const W gate = in[0].values[i], up = in[1].values[i], dy = in[2].values[i];
    F &dgate = out[0].values[i], &dup = out[1].values[i];
    if (forward.kind == GateKind::clamped) {
      const W g = gate > limit ? limit : gate;
      const W u = (up > limit ? limit : up < -limit ? -limit : up) + W(1);
      const Slope<W> s = sigmoid_slope(alpha * g);
      dgate = F(within(gate, W(-1e30), limit, dy * u * (s.value + g * alpha * s.slope)));
      dup = F(within(up, -limit, limit, dy * g * s.value));
    } else {
      const Slope<W> f = forward.kind == GateKind::silu ? silu_slope(gate) : gelu_tanh_slope(gate);
      dgate = F(dy * up * f.slope);
      dup = F(dy * f.value);
    }
  }
}

ASHLAR_OP(ClampGrad)
ASHLAR_OP(SoftcapGrad)
ASHLAR_OP(ActivateGrad)
ASHLAR_OP(Pad)
ASHLAR_OP(GatedGrad)

}  // namespace ashlar
