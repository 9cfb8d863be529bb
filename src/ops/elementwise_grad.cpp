// Gradients of elementwise ops in plain loops.
#include "ops/elementwise_grad.h"

#include "graph/op_model.h"
#include "ops/activation.h"

namespace ashlar {
namespace {

Type x_and_dy(Types in) {
  expect_inputs(in, 2, 2);
  expect_kind(in[0], Kind::real, "x");
  expect_kind(in[1], Kind::real, "dy");
  expect_axes(in[1].axes, in[0].axes, "dy against x");
  return in[0];
}

int64_t per_element(const Type& type, const Workload& load, int64_t operations) {
  return (type.per_token() ? load.tokens() : 1) * type.feature_count() * operations;
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
    out[0].values[i] = within(in[0].values[i], F(low), F(high), in[1].values[i]);
}

std::vector<Type> SoftcapGrad::types(Types in) const {
  if (!(cap > 0)) shape_error("cap: expected a positive number, found " + attribute_text(cap));
  return {x_and_dy(in)};
}
int64_t SoftcapGrad::flops(Types in, const Workload& load) const {
  return per_element(in[0], load, 5);
}
template <class F>
void SoftcapGrad::meaning(const In<F>& in, Out<F>& out) const {
  using std::tanh;
  using W = Wide<F>;
  for (size_t i = 0; i < in[0].values.size(); ++i) {
    const W t = tanh(W(in[0].values[i]) / W(cap));
    out[0].values[i] = F(W(in[1].values[i]) * (W(1) - t * t));
  }
}

std::vector<Type> ActivateGrad::types(Types in) const { return {x_and_dy(in)}; }
int64_t ActivateGrad::flops(Types in, const Workload& load) const {
  static constexpr int64_t kOperations[] = {kGeluSlopeOperations + 1, kSiluSlopeOperations + 1,
                                            kSigmoidSlopeOperations + 1, 0,
                                            kExactGeluSlopeOperations + 1};
  return per_element(in[0], load, kOperations[static_cast<size_t>(kind)]);
}
template <class F>
void ActivateGrad::meaning(const In<F>& in, Out<F>& out) const {
  for (size_t i = 0; i < in[0].values.size(); ++i) {
    const Wide<F> x = in[0].values[i], dy = in[1].values[i];
    Wide<F> dx = 0;
    switch (kind) {
      case ActivationKind::gelu_tanh:
        dx = dy * gelu_tanh_slope(x).slope;
        break;
      case ActivationKind::silu:
        dx = dy * silu_slope(x).slope;
        break;
      case ActivationKind::sigmoid:
        dx = dy * sigmoid_slope(x).slope;
        break;
      case ActivationKind::relu:
        dx = x > Wide<F>(0) ? dy : Wide<F>(0);
        break;
      case ActivationKind::gelu:
        dx = dy * gelu_slope(x).slope;
        break;
    }
    out[0].values[i] = F(dx);
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
    for (int64_t i = 0; i < n; ++i)
      out[0].values[static_cast<size_t>(g * size + begin + i)] =
          in[0].values[static_cast<size_t>(g * n + i)];
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
  switch (kind) {
    case GateKind::silu:
      return kSiluSlopeOperations + 3;
    case GateKind::gelu_tanh:
      return kGeluSlopeOperations + 3;
    case GateKind::clamped:
      return kSigmoidSlopeOperations + 9;
  }
  return 0;
}

int64_t GatedGrad::flops(Types in, const Workload& load) const {
  return per_element(in[0], load, gated_grad_operations(forward.kind));
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
