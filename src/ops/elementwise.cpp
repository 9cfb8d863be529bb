// Elementwise ops and moves in plain loops.
#include "ops/elementwise.h"

#include "graph/op_model.h"
#include "ops/activation.h"
#include "ops/axes_text.h"
#include "ops/elementwise_grad.h"
#include "ops/experts.h"
#include "ops/linear_grad.h"
#include "ops/types.h"

namespace ashlar {
namespace {

Type one_input(Types in) {
  expect_inputs(in, 1, 1);
  expect_kind(in[0], Kind::real, "x");
  return in[0];
}

Type two_alike(Types in) {
  expect_inputs(in, 2, 2);
  expect_kind(in[0], Kind::real, "a");
  expect_kind(in[1], Kind::real, "b");
  if (in[1].per_token())
    expect_axes(in[1].axes, in[0].axes, "b");
  else
    expect_axes(in[1].axes, last_axes(in[0], in[1].axes.size(), "a"), "b");
  return in[0];
}

/// The gradient of `of` from one of a value that it was spread over.
Value reduced(Builder& b, const Value& gradient, const Value& of) {
  const auto axes = static_cast<int64_t>(of.type().axes.size());
  if (gradient.type().axes == of.type().axes) return gradient;
  return b.add1(TokenSum{.axes = axes}, {gradient});
}

}  // namespace

std::vector<Type> Add::types(Types in) const { return {two_alike(in)}; }
int64_t Add::flops(Types in, const Workload& load) const { return numbers_in(in[0], load); }
std::vector<Value> Add::derivative(Builder& b, Values in, Values, Values dy) const {
  return {dy[0], reduced(b, dy[0], in[1])};
}

template <class F>
void Add::meaning(const In<F>& in, Out<F>& out) const {
  const size_t n = in[1].values.size();
  for (size_t i = 0; i < in[0].values.size(); ++i)
    out[0].values[i] = in[0].values[i] + in[1].values[i % n];
}

std::vector<Type> Multiply::types(Types in) const { return {two_alike(in)}; }
int64_t Multiply::flops(Types in, const Workload& load) const { return numbers_in(in[0], load); }
std::vector<Value> Multiply::derivative(Builder& b, Values in, Values, Values dy) const {
  return {b.add1(Multiply{}, {dy[0], in[1]}),
          reduced(b, b.add1(Multiply{}, {dy[0], in[0]}), in[1])};
}

template <class F>
void Multiply::meaning(const In<F>& in, Out<F>& out) const {
  const size_t n = in[1].values.size();
  for (size_t i = 0; i < in[0].values.size(); ++i)
    out[0].values[i] = in[0].values[i] * in[1].values[i % n];
}

std::vector<Type> Scale::types(Types in) const { return {one_input(in)}; }
int64_t Scale::flops(Types in, const Workload& load) const {
  return numbers_in(in[0], load) * ((factor != 1 ? 1 : 0) + (shift != 0 ? 1 : 0));
}
std::vector<Value> Scale::derivative(Builder& b, Values, Values, Values dy) const {
  return {factor == 1 ? dy[0] : b.add1(Scale{.factor = factor}, {dy[0]})};
}

template <class F>
void Scale::meaning(const In<F>& in, Out<F>& out) const {
  for (size_t i = 0; i < in[0].values.size(); ++i) {
    Wide<F> y = in[0].values[i];
    if (factor != 1) y *= Wide<F>(factor);
    if (shift != 0) y += Wide<F>(shift);
    out[0].values[i] = F(y);
  }
}

std::vector<Type> Clamp::types(Types in) const { return {one_input(in)}; }
std::vector<Value> Clamp::derivative(Builder& b, Values in, Values, Values dy) const {
  return {b.add1(ClampGrad{*this}, {in[0], dy[0]})};
}

template <class F>
void Clamp::meaning(const In<F>& in, Out<F>& out) const {
  for (size_t i = 0; i < in[0].values.size(); ++i) {
    F y = in[0].values[i];
    if (y < F(low)) y = F(low);
    if (y > F(high)) y = F(high);
    out[0].values[i] = y;
  }
}

std::vector<Type> Softcap::types(Types in) const {
  if (!(cap > 0)) shape_error("cap: expected a positive number, found " + attribute_text(cap));
  return {one_input(in)};
}
int64_t Softcap::flops(Types in, const Workload& load) const { return numbers_in(in[0], load) * 3; }
std::vector<Value> Softcap::derivative(Builder& b, Values in, Values, Values dy) const {
  return {b.add1(SoftcapGrad{*this}, {in[0], dy[0]})};
}

template <class F>
void Softcap::meaning(const In<F>& in, Out<F>& out) const {
  using std::tanh;
  using W = Wide<F>;
  for (size_t i = 0; i < in[0].values.size(); ++i)
    out[0].values[i] = F(W(cap) * tanh(W(in[0].values[i]) / W(cap)));
}

std::vector<Type> Activate::types(Types in) const { return {one_input(in)}; }
int64_t Activate::flops(Types in, const Workload& load) const {
  static constexpr int64_t kOperations[] = {9, 4, 3, 0, 5};
  return numbers_in(in[0], load) * entry_of(kOperations, kind);
}
std::vector<Value> Activate::derivative(Builder& b, Values in, Values, Values dy) const {
  return {b.add1(ActivateGrad{*this}, {in[0], dy[0]})};
}

template <class F>
void Activate::meaning(const In<F>& in, Out<F>& out) const {
  using std::erf;
  using std::exp;
  using std::tanh;
  using W = Wide<F>;
  for (size_t i = 0; i < in[0].values.size(); ++i) {
    const W x = in[0].values[i];
    W y = 0;
    switch (kind) {
      case ActivationKind::gelu_tanh:
        y = W(0.5) * x * (W(1) + tanh(W(0.7978845608028654) * (x + W(0.044715) * x * x * x)));
        break;
      case ActivationKind::silu:
        y = x * (W(1) / (W(1) + exp(-x)));
        break;
      case ActivationKind::sigmoid:
        y = W(1) / (W(1) + exp(-x));
        break;
      case ActivationKind::relu:
        y = x > W(0) ? x : W(0);
        break;
      case ActivationKind::gelu:
        y = W(0.5) * x * (W(1) + erf(x * W(0.7071067811865476)));
        break;
    }
    out[0].values[i] = F(y);
  }
}

std::vector<Type> Slice::types(Types in) const {
  Type y = one_input(in);
  const Axis last = last_axes(y, 1, "x")[0];
  if (begin < 0 || size < 1 || begin > last.size - size) {
    shape_error("slice " + std::to_string(begin) + " + " + std::to_string(size) + " of " +
                to_string(y));
  }
  y.axes.back() = {axis, size};
  return {y};
}
std::vector<Value> Slice::derivative(Builder& b, Values in, Values, Values dy) const {
  const Axis last = in[0].type().axes.back();
  return {b.add1(Pad{.begin = begin, .axis = last.name, .size = last.size}, {dy[0]})};
}

template <class F>
void Slice::meaning(const In<F>& in, Out<F>& out) const {
  const int64_t n = in[0].inner(1);
  for (int64_t g = 0; g < in[0].elements() / n; ++g) {
    std::copy_n(in[0].values.data() + g * n + begin, size, out[0].values.data() + g * size);
  }
}

std::vector<Type> Concat::types(Types in) const {
  expect_inputs(in, 2, 2);
  for (const Type& type : in) {
    expect_kind(type, Kind::real, "a and b");
    last_axes(type, 1, "a and b");
  }
  const Axes a(in[0].axes.begin(), in[0].axes.end() - 1),
      b(in[1].axes.begin(), in[1].axes.end() - 1);
  expect_axes(b, a, "b but its last axis");
  Type y = in[0];
  y.axes.back() = {axis, in[0].axes.back().size + in[1].axes.back().size};
  return {y};
}
std::vector<Value> Concat::derivative(Builder& b, Values in, Values, Values dy) const {
  std::vector<Value> d;
  int64_t begin = 0;
  for (const Value& part : {in[0], in[1]}) {
    const Axis last = part.type().axes.back();
    d.push_back(b.add1(Slice{.begin = begin, .axis = last.name, .size = last.size}, {dy[0]}));
    begin += last.size;
  }
  return d;
}

template <class F>
void Concat::meaning(const In<F>& in, Out<F>& out) const {
  const int64_t a = in[0].inner(1), b = in[1].inner(1);
  for (int64_t g = 0; g < in[0].elements() / a; ++g) {
    F* y = out[0].values.data() + g * (a + b);
    std::copy_n(in[0].values.data() + g * a, a, y);
    std::copy_n(in[1].values.data() + g * b, b, y + a);
  }
}

std::vector<Type> Repeat::types(Types in) const {
  Type y = one_input(in);
  expect_per_token(y, "x");
  if (count < 1) shape_error("count: expected at least 1, found " + std::to_string(count));
  y.axes.insert(y.axes.begin() + 1, Axis{axis, count});
  return {y};
}
std::vector<Value> Repeat::derivative(Builder& b, Values, Values, Values dy) const {
  return {b.add1(ExpertSum{}, {dy[0]})};
}

template <class F>
void Repeat::meaning(const In<F>& in, Out<F>& out) const {
  const int64_t n = in.batch.size() == 0 ? 0 : in[0].elements() / in.batch.size();
  for (int64_t t = 0; t < in.batch.size(); ++t) {
    for (int64_t k = 0; k < count; ++k)
      std::copy_n(in[0].values.data() + t * n, n, out[0].values.data() + (t * count + k) * n);
  }
}

std::vector<Type> Rename::types(Types in) const {
  const Type x = one_input(in);
  Type y{x.kind, {}};
  if (x.per_token()) y.axes.push_back(tokens_axis());
  const Axes named = axes_of(axes);
  y.axes.insert(y.axes.end(), named.begin(), named.end());
  if (y.feature_count() != x.feature_count())
    shape_error("axes " + axes + " hold another count than " + to_string(x));
  return {y};
}
std::vector<Value> Rename::derivative(Builder& b, Values in, Values, Values dy) const {
  return {b.add1(Rename{.axes = text_of(in[0].type().features())}, {dy[0]})};
}

template <class F>
void Rename::meaning(const In<F>& in, Out<F>& out) const {
  out[0].values = in[0].values;
}

ASHLAR_OP(Add)
ASHLAR_OP(Multiply)
ASHLAR_OP(Scale)
ASHLAR_OP(Clamp)
ASHLAR_OP(Softcap)
ASHLAR_OP(Activate)
ASHLAR_OP(Slice)
ASHLAR_OP(Concat)
ASHLAR_OP(Repeat)
ASHLAR_OP(Rename)

}  // namespace ashlar
