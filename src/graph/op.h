// An op: everything about one kind of computation in one place (shape, cost, meaning, expansion).
//
// An op is an ordinary struct; Op holds any of them as a value. A struct T is an op if it has
//   static constexpr OpDoc doc;                    name, formula, names of inputs and outputs
//   ASHLAR_ATTRIBUTES(eps, ...);                   its members: text form, equality; may be left out
//   std::vector<Type> types(Types in) const;                   throws ShapeError
//   int64_t flops(Types in, const Workload&) const;
//                                                  what its meaning performs, exactly
// and either (primitive)
//   template <class F> void meaning(const In<F>&, Out<F>&) const;    plain loops: the specification
// or (composite)
//   std::vector<Value> expand(Builder&, Values) const;
//   bool mixes_tokens() const;     where true: a token's output depends on other tokens
// and, unless it is itself part of a gradient, or composite and content with its expansion's,
//   std::vector<Value> derivative(Builder&, Values in, Values out,
//                                 Values dy) const;
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

#include "base/id.h"
#include "base/members.h"
#include "graph/array.h"
#include "graph/axis.h"
#include "graph/scalar_types.h"

namespace ashlar {

class Builder;

using ValueId = Id<struct ValueTag>;
using ParamId = Id<struct ParamTag>;
using NodeId = Id<struct NodeTag>;

/// What a node reads: a value that another node makes, or a parameter.
struct Input {
  ValueId value;  // one of the two exists
  ParamId param;
  Input() = default;
  Input(ValueId v) : value(v) {}
  Input(ParamId p) : param(p) {}
  bool is_value() const { return value.exists(); }
  bool is_param() const { return param.exists(); }
  auto operator<=>(const Input&) const = default;
};

/// A handle to a value or a parameter of a graph under construction (graph/builder.h).
struct Value {
  Builder* builder = nullptr;
  Input input;
  bool exists() const { return builder != nullptr; }  // a gradient that vanishes does not
  const Type& type() const;
  /// The axis of that name; Error(invalid) when there is none.
  Axis axis(std::string_view name) const;
};

using Types = std::span<const Type>;
using Values = std::span<const Value>;

struct OpDoc {
  std::string_view name;     // "rms_norm"
  std::string_view formula;  // "y = x * w / sqrt(mean(x^2) + eps)"
  std::string_view inputs;   // "x w?": names, ? marks what may be left out
  std::string_view outputs;  // "y"
  std::string_view source;   // paper and section
};

/// Inputs that do not fit; the verifier adds which node it is.
class ShapeError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One attribute as text, e.g. {"eps", "1e-06"}; doubles print so that they read back exactly.
struct Attribute {
  std::string name, value;
  bool operator==(const Attribute&) const = default;
};

class Op {
 public:
  template <class T>
  Op(T op);  // declared per op by ASHLAR_DECLARE_OP, defined in ops/<op>.cpp by ASHLAR_OP

  const OpDoc& doc() const { return self_->doc(); }
  std::string_view name() const { return doc().name; }
  std::vector<Attribute> attributes() const { return self_->attributes(); }
  std::vector<Type> types(Types in) const { return self_->types(in); }
  int64_t flops(Types in, const Workload& load) const { return self_->flops(in, load); }
  bool composite() const { return self_->composite(); }
  /// Whether what a token gives depends on other tokens: then an engine that evaluates a sequence
  /// in pieces must carry something from one to the next. Stated by primitives, held to by the
  /// tests.
  bool mixes_tokens() const { return self_->mixes_tokens(); }
  std::vector<Value> expand(Builder& b, Values in) const { return self_->expand(b, in); }
  /// Whether the op itself states its derivative; a composite's follows from its expansion
  /// otherwise (ops/backward.h).
  bool has_derivative() const { return self_->has_derivative(); }
  /// Records the gradients of the inputs, each of its input's type, given what the node reads and
  /// makes and the gradients of what it makes. A Value that does not exist is a gradient of zero:
  /// that of an index, or of numbers on which nothing depends.
  std::vector<Value> derivative(Builder& b, Values in, Values out, Values dy) const {
    return self_->derivative(b, in, out, dy);
  }
  void meaning(const In<float>& in, Out<float>& out) const { self_->meaning(in, out); }
  void meaning(const In<double>& in, Out<double>& out) const { self_->meaning(in, out); }
  void meaning(const In<Counted>& in, Out<Counted>& out) const { self_->meaning(in, out); }
  bool operator==(const Op& other) const {
    return name() == other.name() && attributes() == other.attributes();
  }

  /// The struct behind, or null when it is another op: if (auto* a = op.as<Attention>()) ...
  template <class T>
  const T* as() const {
    return self_->type() == typeid(T) ? static_cast<const T*>(self_->get()) : nullptr;
  }

  struct Interface {
    virtual ~Interface() = default;
    virtual const OpDoc& doc() const = 0;
    virtual std::vector<Attribute> attributes() const = 0;
    virtual std::vector<Type> types(Types) const = 0;
    virtual int64_t flops(Types, const Workload&) const = 0;
    virtual bool composite() const = 0;
    virtual bool mixes_tokens() const { return false; }
    virtual std::vector<Value> expand(Builder&, Values) const = 0;
    virtual bool has_derivative() const = 0;
    virtual std::vector<Value> derivative(Builder&, Values in, Values out, Values dy) const = 0;
    virtual void meaning(const In<float>&, Out<float>&) const = 0;
    virtual void meaning(const In<double>&, Out<double>&) const = 0;
    virtual void meaning(const In<Counted>&, Out<Counted>&) const = 0;
    virtual const std::type_info& type() const = 0;
    virtual const void* get() const = 0;
  };
  explicit Op(std::shared_ptr<const Interface> self) : self_(std::move(self)) {}

 private:
  std::shared_ptr<const Interface> self_;  // immutable, so sharing is invisible
};

/// Calls v with the name and the value of every attribute of an op, which may have none.
template <class V, class T>
void visit_attributes(V& v, T& op) {
  if constexpr (requires { op.attributes(v); }) op.attributes(v);
}

// Helpers for types(): they throw ShapeError with what was expected and found.
[[noreturn]] void shape_error(const std::string& message);
/// Asked for the derivative of an op that states none: Error(unsupported).
[[noreturn]] void no_derivative(std::string_view op);
void expect_inputs(Types in, size_t least, size_t most);
void expect_kind(const Type& type, Kind kind, std::string_view what);
void expect_per_token(const Type& type, std::string_view what);
/// Numbers that all tokens share: a parameter, or something made of parameters.
void expect_weight(const Type& type, std::string_view what);
void expect_axes(const Axes& found, const Axes& expected, std::string_view what);
void expect(const Type& type, Kind kind, const Axes& axes, std::string_view what);
/// Numbers [tokens, n]; `n` is what the second axis counts.
void expect_rows(const Type& type, std::string_view n, std::string_view what);
/// The last n axes of the type. Error when it has fewer.
Axes last_axes(const Type& type, size_t n, std::string_view what);

}  // namespace ashlar

/// In the struct of an op, the members that are its attributes.
#define ASHLAR_ATTRIBUTES(...)                   \
  template <class V>                             \
  void attributes(V& v) {                        \
    visit_members(v, #__VA_ARGS__, __VA_ARGS__); \
  }                                              \
  static_assert(true)

/// In the struct of a primitive, what its .cpp file defines as the list above has it; `free`: it
/// moves, compares or chooses, which counts as no operation.
#define ASHLAR_PRIMITIVE                               \
  std::vector<Type> types(Types in) const;             \
  int64_t flops(Types in, const Workload& load) const; \
  template <class F>                                   \
  void meaning(const In<F>& in, Out<F>& out) const
#define ASHLAR_FREE_PRIMITIVE                               \
  std::vector<Type> types(Types in) const;                  \
  int64_t flops(Types, const Workload&) const { return 0; } \
  template <class F>                                        \
  void meaning(const In<F>& in, Out<F>& out) const
#define ASHLAR_DERIVATIVE \
  std::vector<Value> derivative(Builder& b, Values in, Values out, Values dy) const

/// Follows the struct of each op in its header: Op(RmsNorm{}) is defined in one .cpp file only.
#define ASHLAR_DECLARE_OP(Type) \
  template <>                   \
  Op::Op(Type op)
