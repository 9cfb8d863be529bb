// Wraps an op struct into Op. Included by ops/<op>.cpp files only, which define it once, at their
// end: ASHLAR_OP(RmsNorm)
#pragma once

#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "graph/attributes.h"
#include "graph/builder.h"
#include "graph/op.h"

namespace ashlar {

template <class T>
concept PrimitiveOp = requires(const T& t, const In<float>& in, Out<float>& out) {
  t.meaning(in, out);
};

template <class T>
concept DifferentiableOp = requires(const T& t, Builder& b, Values v) {
  t.derivative(b, v, v, v);
};

template <class T>
struct OpModel final : Op::Interface {
  explicit OpModel(T t) : op(std::move(t)) {}
  T op;

  const OpDoc& doc() const override { return T::doc; }
  std::vector<Attribute> attributes() const override {
    AttributeWriter writer;
    // The visitor is shared with the reader; a writer only reads.
    visit_attributes(writer, const_cast<T&>(op));
    return std::move(writer.attributes);
  }
  std::vector<Type> types(Types in) const override { return op.types(in); }
  int64_t flops(Types in, const Workload& load) const override { return op.flops(in, load); }
  bool composite() const override { return !PrimitiveOp<T>; }
  bool mixes_tokens() const override {
    if constexpr (requires { op.mixes_tokens(); })
      return op.mixes_tokens();
    else
      return false;
  }
  std::vector<Value> expand(Builder& b, Values in) const override {
    if constexpr (PrimitiveOp<T>)
      return {};
    else
      return op.expand(b, in);
  }
  bool has_derivative() const override { return DifferentiableOp<T>; }
  std::vector<Value> derivative(Builder& b, Values in, Values out, Values dy) const override {
    if constexpr (DifferentiableOp<T>)
      return op.derivative(b, in, out, dy);
    else
      no_derivative(T::doc.name);
  }
  void meaning(const In<float>& in, Out<float>& out) const override { run(in, out); }
  void meaning(const In<double>& in, Out<double>& out) const override { run(in, out); }
  void meaning(const In<Counted>& in, Out<Counted>& out) const override { run(in, out); }
  const std::type_info& type() const override { return typeid(T); }
  const void* get() const override { return &op; }

 private:
  template <class F>
  void run(const In<F>& in, Out<F>& out) const {
    if constexpr (PrimitiveOp<T>) op.meaning(in, out);
  }
};

}  // namespace ashlar

#define ASHLAR_OP(Type) \
  template <>           \
  Op::Op(Type op) : self_(std::make_shared<OpModel<Type>>(std::move(op))) {}
