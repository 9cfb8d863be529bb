// Recording: types are computed as nodes are added, so an error points at the line that made it.
#include "graph/builder.h"

#include "base/error.h"

namespace ashlar {
namespace {

/// Of one parameter: so much that no sum over a graph's layers overflows.
constexpr int64_t kMostElements = int64_t{1} << 42;

}  // namespace

const Type& Value::type() const {
  if (input.is_value()) return builder->graph_.type(input.value);
  return builder->param_types_[input.param];
}

Axis Value::axis(std::string_view name) const {
  for (const Axis& a : type().axes) {
    if (a.name == name) return a;
  }
  fail(ErrorKind::invalid, "graph: {} has no axis called {}", to_string(type()), name);
}

Value Builder::param(std::string_view name, Axes axes, Role role, int64_t col_axes) {
  std::string full = joined(scope_, name);
  if (const auto it = param_ids_.find(full); it != param_ids_.end()) {
    const Param& p = graph_.params_[it->second];
    if (p.axes != axes) {
      fail(ErrorKind::invalid, "graph: parameter {}: {} asked for, recorded as {}", full,
           to_string(axes), to_string(p.axes));
    }
    return {this, it->second};
  }
  int64_t elements = 1;
  for (const Axis& a : axes) {
    if (a.size < 1 || __builtin_mul_overflow(elements, a.size, &elements) ||
        elements > kMostElements) {
      fail(ErrorKind::invalid,
           "graph: parameter {} {}: expected sizes from 1 and at most 2^42 "
           "numbers",
           full, to_string(axes));
    }
  }
  if (col_axes < 0 || col_axes > static_cast<int64_t>(axes.size()))
    fail(ErrorKind::invalid, "graph: parameter {} {} has no {} axes to a row", full,
         to_string(axes), col_axes);
  param_types_.push_back({Kind::real, axes});
  const int64_t row_axes = col_axes == 0 ? 0 : static_cast<int64_t>(axes.size()) - col_axes;
  const ParamId id = graph_.params_.add({full, std::move(axes), role, row_axes, place_of(full)});
  param_ids_.emplace(std::move(full), id);
  return {this, id};
}

Value Builder::param(const Param& like) {
  const std::string scope = std::exchange(scope_, {});
  const auto axes = static_cast<int64_t>(like.axes.size());
  const Value made =
      param(like.name, like.axes, like.role, like.row_axes == 0 ? 0 : axes - like.row_axes);
  scope_ = scope;
  return made;
}

Value Builder::param_named(const std::string& name) const {
  const auto it = param_ids_.find(name);
  if (it == param_ids_.end()) fail(ErrorKind::invalid, "graph: no parameter is called {}", name);
  return {const_cast<Builder*>(this), it->second};
}

std::vector<Value> Builder::add(Op op, const std::vector<Value>& inputs, std::string_view label) {
  std::vector<Type> in;
  std::vector<Input> ids;
  for (const Value& v : inputs) {
    ASHLAR_ASSERT(v.builder == this, "values of one graph do not mix with another's");
    in.push_back(v.type());
    ids.push_back(v.input);
  }
  std::vector<Type> out;
  try {
    out = op.types(in);
  } catch (const ShapeError& e) {
    std::string found;
    for (const Type& t : in) found += (found.empty() ? "" : ", ") + to_string(t);
    fail(ErrorKind::invalid, "{}: {}: {} (inputs: {})", joined(scope_, label), op.name(), e.what(),
         found);
  }
  std::vector<Value> values;
  std::vector<ValueId> outputs;
  for (Type& t : out) {
    outputs.push_back(graph_.types_.add(std::move(t)));
    values.push_back({this, outputs.back()});
  }
  graph_.nodes_.push_back({std::move(op), std::move(ids), std::move(outputs), scope_,
                           std::string(label), place_of(joined(scope_, label))});
  return values;
}

std::vector<Value> Builder::inputs(const Graph& from, const Node& node,
                                   const IdVector<ValueId, Value>& made) const {
  std::vector<Value> in;
  for (const Input& v : node.inputs)
    in.push_back(v.is_value() ? made[v.value] : param_named(from.params()[v.param].name));
  return in;
}

std::vector<Value> Builder::add_node(const Graph& from, const Node& node,
                                     IdVector<ValueId, Value>& made, std::string_view prefix) {
  set_scope(joined(prefix, node.scope));
  std::vector<Value> out = add(node.op, inputs(from, node, made), node.label);
  for (size_t k = 0; k < out.size(); ++k) made[node.outputs[k]] = out[k];
  return out;
}

void Builder::push_scope(std::string_view name) {
  scope_ends_.push_back(scope_.size());
  scope_ = joined(scope_, name);
}

void Builder::pop_scope() {
  ASHLAR_ASSERT(!scope_ends_.empty(), "scopes nest");
  scope_.resize(scope_ends_.back());
  scope_ends_.pop_back();
}

Graph Builder::finish(Value output) { return finish({{std::string(), output}}); }

Graph Builder::finish(const std::vector<NamedValue>& outputs) {
  for (const NamedValue& o : outputs) {
    ASHLAR_ASSERT(o.value.builder == this && o.value.input.is_value(),
                  "the outputs of a graph are values of it");
    graph_.outputs_.push_back({o.name, o.value.input.value});
  }
  graph_.verify();
  return std::move(graph_);
}

}  // namespace ashlar
