// Recording: types are computed as nodes are added, so an error points at the line that made it.
#include "graph/builder.h"

#include "base/error.h"

namespace ashlar {
namespace {

/// Of one parameter: so much that no sum over a graph's layers overflows.
constexpr int64_t kMostElements = int64_t{1} << 42;

}  // namespace

const Type& Value::type() const {
  if (input.from == Input::From::value) return builder->graph_.type(input.id);
  return builder->param_types_[static_cast<size_t>(input.id)];
}

Axis Value::axis(std::string_view name) const {
  for (const Axis& a : type().axes) {
    if (a.name == name) return a;
  }
  fail(ErrorKind::invalid, "graph: {} has no axis called {}", to_string(type()), name);
}

Value Builder::param(std::string_view name, Axes axes, Role role, int64_t col_axes) {
  std::string full = scope_.empty() ? std::string(name) : scope_ + "." + std::string(name);
  if (const auto it = param_ids_.find(full); it != param_ids_.end()) {
    const Param& p = graph_.params_[static_cast<size_t>(it->second)];
    if (p.axes != axes) {
      fail(ErrorKind::invalid, "graph: parameter {}: {} asked for, recorded as {}", full,
           to_string(axes), to_string(p.axes));
    }
    return {this, {Input::From::param, it->second}};
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
  const auto id = static_cast<ParamId>(graph_.params_.size());
  param_types_.push_back({Kind::real, axes});
  const int64_t row_axes = col_axes == 0 ? 0 : static_cast<int64_t>(axes.size()) - col_axes;
  graph_.params_.push_back({full, std::move(axes), role, row_axes});
  param_ids_.emplace(std::move(full), id);
  return {this, {Input::From::param, id}};
}

Value Builder::param_named(const std::string& name) const {
  const auto it = param_ids_.find(name);
  if (it == param_ids_.end()) fail(ErrorKind::invalid, "graph: no parameter is called {}", name);
  return {const_cast<Builder*>(this), {Input::From::param, it->second}};
}

std::vector<Value> Builder::add(Op op, std::vector<Value> inputs, std::string_view label) {
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
    fail(ErrorKind::invalid, "{}{}{}: {}: {} (inputs: {})", scope_, label.empty() ? "" : ".", label,
         op.name(), e.what(), found);
  }
  std::vector<Value> values;
  std::vector<ValueId> outputs;
  for (Type& t : out) {
    const auto id = static_cast<ValueId>(graph_.types_.size());
    graph_.types_.push_back(std::move(t));
    outputs.push_back(id);
    values.push_back({this, {Input::From::value, id}});
  }
  graph_.nodes_.push_back(
      {std::move(op), std::move(ids), std::move(outputs), scope_, std::string(label)});
  return values;
}

void Builder::push_scope(std::string_view name) {
  scope_ends_.push_back(scope_.size());
  if (!scope_.empty()) scope_ += '.';
  scope_ += name;
}

void Builder::pop_scope() {
  ASHLAR_ASSERT(!scope_ends_.empty(), "scopes nest");
  scope_.resize(scope_ends_.back());
  scope_ends_.pop_back();
}

Graph Builder::finish(Value output) { return finish({{std::string(), output}}); }

Graph Builder::finish(const std::vector<NamedValue>& outputs) {
  for (const NamedValue& o : outputs) {
    ASHLAR_ASSERT(o.value.builder == this && o.value.input.from == Input::From::value,
                  "the outputs of a graph are values of it");
    graph_.outputs_.push_back({o.name, o.value.input.id});
  }
  graph_.verify();
  return std::move(graph_);
}

}  // namespace ashlar
