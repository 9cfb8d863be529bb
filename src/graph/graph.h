// A graph: values, ops, parameters and scopes, recorded from a blueprint. No weights, no formats,
// no batch.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_names.h"
#include "graph/op.h"
#include "graph/place.h"

namespace ashlar {

/// What a parameter is for: counting, initialisation and weight decay ask.
enum class Role : uint8_t { embedding, position, projection, router, expert, norm, bias, sink };
ASHLAR_NAMES(Role, embedding, position, projection, router, expert, norm, bias, sink);

struct Param {
  std::string name;  // canonical: "layers.3.attn.q"
  Axes axes;
  Role role = Role::projection;
  /// Leading axes that count rows; the others make one row: the unit that formats pack.
  int64_t row_axes = 0;
  Place place;  // what its name says
  int64_t cols() const {
    int64_t n = 1;
    for (size_t i = static_cast<size_t>(row_axes); i < axes.size(); ++i) n *= axes[i].size;
    return n;
  }
  int64_t rows() const { return elements() / cols(); }
  int64_t elements() const { return count_of(axes); }
  bool operator==(const Param&) const = default;
};

using Params = IdVector<ParamId, Param>;

struct Node {
  Op op;
  std::vector<Input> inputs;
  std::vector<ValueId> outputs;
  std::string scope;  // "layers.3.attn"
  std::string label;  // what the result is called in its scope: "q"; may be empty
  Place place;        // what its name says

  std::string name() const;  // "layers.3.attn.q"
};

/// What a graph is evaluated for. The name is empty where there is one output only.
struct Output {
  std::string name;  // "loss", "gradient.layers.3.attn.q"
  ValueId value;
};

class Graph {
 public:
  const IdVector<NodeId, Node>& nodes() const {
    return nodes_;
  }  // in an order that can be executed
  const Params& params() const { return params_; }
  const IdVector<ValueId, Type>& types() const { return types_; }  // of each value
  const Type& type(ValueId id) const { return types_[id]; }
  Type type(const Input& in) const;
  std::vector<Type> input_types(const Node& node) const;
  const std::vector<Output>& outputs() const { return outputs_; }
  /// The first (mostly the only) output.
  ValueId output() const { return outputs_.empty() ? ValueId() : outputs_[0].value; }
  ValueId output(std::string_view name) const;  // Error(invalid) when there is none of that name
  const Param* param(std::string_view name) const;
  int64_t parameter_count() const;

  /// Recomputes every type and checks order, names and uses. Throws Error(invalid) that names the
  /// node and both shapes.
  void verify() const;

  /// One line per parameter and node; parse(text()) gives the same graph. docs/architecture.md has
  /// the form.
  std::string text() const;
  bool operator==(const Graph& other) const { return text() == other.text(); }

  /// The same graph with every composite op replaced by its expansion, until none is left (or the
  /// given one only).
  Graph expanded(std::string_view only = {}) const;
  /// The same graph without the nodes that no output depends on.
  Graph pruned() const;

 private:
  friend class Builder;
  friend class GraphReader;
  IdVector<NodeId, Node> nodes_;
  Params params_;
  IdVector<ValueId, Type> types_;
  std::vector<Output> outputs_;
};

}  // namespace ashlar
