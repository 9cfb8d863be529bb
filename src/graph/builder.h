// Records a graph: a value is a handle, functions over values add nodes.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace ashlar {

struct NamedValue {
  std::string name;
  Value value;
};

class Builder {
 public:
  /// A parameter in the current scope ("q" -> "layers.3.attn.q"); asking twice for a name gives the
  /// same one, with other axes it is an Error(invalid).
  /// The last `col_axes` axes make one row of the matrix (0: all of them, a vector).
  Value param(std::string_view name, Axes axes, Role role, int64_t col_axes = 1);
  /// One like another graph's parameter, under its full name.
  Value param(const Param& like);
  /// A parameter by its full name, whatever the scope (tied heads).
  Value param_named(const std::string& name) const;

  std::vector<Value> add(Op op, const std::vector<Value>& inputs, std::string_view label = {});
  Value add1(Op op, const std::vector<Value>& inputs, std::string_view label = {}) {
    return add(std::move(op), inputs, label)[0];
  }

  /// What another graph's node reads, here: its values where they are `made`, its parameters by name.
  std::vector<Value> inputs(const Graph& from, const Node& node,
                            const IdVector<ValueId, Value>& made) const;
  /// Another graph's node again, in its scope behind `prefix`; its results go to `made`.
  std::vector<Value> add_node(const Graph& from, const Node& node, IdVector<ValueId, Value>& made,
                              std::string_view prefix = {});

  void push_scope(std::string_view name);
  void pop_scope();
  const std::string& scope() const { return scope_; }
  void set_scope(std::string scope) { scope_ = std::move(scope); }

  /// Verifies and hands over the graph.
  Graph finish(Value output);
  Graph finish(const std::vector<NamedValue>& outputs);
  /// What has been recorded so far; it has no outputs yet.
  const Graph& recorded() const { return graph_; }
  Type type(const Input& in) const { return graph_.type(in); }

 private:
  friend struct Value;
  friend class GraphReader;
  friend class Graph;
  Graph graph_;
  std::map<std::string, ParamId, std::less<>> param_ids_;
  IdVector<ParamId, Type> param_types_;
  std::string scope_;
  std::vector<size_t> scope_ends_;
};

/// Names within are prefixed: { Scope s(b, "attn"); b.param("q", ...); }
class Scope {
 public:
  Scope(Builder& b, std::string_view name) : builder_(b) { b.push_scope(name); }
  ~Scope() { builder_.pop_scope(); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Builder& builder_;
};

}  // namespace ashlar
