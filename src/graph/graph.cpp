// The verifier, expansion of composites, and small questions to a graph.
#include "graph/graph.h"

#include <set>

#include "base/error.h"
#include "graph/builder.h"

namespace ashlar {

Type Graph::type(const Input& in) const {
  if (in.is_value()) return type(in.value);
  return {Kind::real, params_[in.param].axes};
}

std::vector<Type> Graph::input_types(const Node& node) const {
  std::vector<Type> types;
  for (const Input& in : node.inputs) types.push_back(type(in));
  return types;
}

const Param* Graph::param(std::string_view name) const {
  for (const Param& p : params_) {
    if (p.name == name) return &p;
  }
  return nullptr;
}

int64_t Graph::parameter_count() const {
  int64_t n = 0;
  for (const Param& p : params_) n += p.elements();
  return n;
}

std::string Node::name() const { return joined(scope, label); }

void Graph::verify() const {
  std::set<std::string_view> names;
  for (const Param& p : params_) {
    if (!names.insert(p.name).second)
      fail(ErrorKind::invalid, "graph: two parameters are called {}", p.name);
    for (const Axis& a : p.axes) {
      if (a.size <= 0) {
        fail(ErrorKind::invalid, "graph: parameter {}: axis {} has size {}, expected at least 1",
             p.name, a.name, a.size);
      }
    }
  }
  IdVector<ValueId, bool> made(types_.size(), false);
  IdVector<ParamId, bool> used(params_.size(), false);
  for (const NodeId n : nodes_.ids()) {
    const Node& node = nodes_[n];
    const auto where = [&] {
      return fmt::format("graph: node {} ({}, op {})", n.index(), node.name(), node.op.name());
    };
    for (const Input& in : node.inputs) {
      if (in.is_param() ? in.param.index() >= params_.size()
                        : !in.is_value() || in.value.index() >= types_.size())
        fail(ErrorKind::invalid, "{}: input does not exist", where());
      if (in.is_param())
        used[in.param] = true;
      else if (!made[in.value])
        fail(ErrorKind::invalid, "{}: reads %{} before it is made", where(), in.value.index());
    }
    std::vector<Type> out;
    try {
      out = node.op.types(input_types(node));
    } catch (const ShapeError& e) {
      std::string in;
      for (const Type& t : input_types(node)) in += (in.empty() ? "" : ", ") + to_string(t);
      fail(ErrorKind::invalid, "{}: {} (inputs: {})", where(), e.what(), in);
    }
    if (out.size() != node.outputs.size())
      fail(ErrorKind::invalid, "{}: makes {} values, {} recorded", where(), out.size(),
           node.outputs.size());
    for (size_t k = 0; k < out.size(); ++k) {
      const ValueId id = node.outputs[k];
      if (id.index() >= types_.size() || made[id])
        fail(ErrorKind::invalid, "{}: makes %{} a second time", where(), id.index());
      made[id] = true;
      if (!(types_[id] == out[k])) {
        fail(ErrorKind::invalid, "{}: makes {}, recorded as {}", where(), to_string(out[k]),
             to_string(types_[id]));
      }
    }
  }
  for (const ParamId p : params_.ids()) {
    if (!used[p])
      fail(ErrorKind::invalid, "graph: parameter {} is read by no node", params_[p].name);
  }
  if (outputs_.empty()) fail(ErrorKind::invalid, "graph: it has no output");
  std::set<std::string_view> output_names;
  for (const Output& o : outputs_) {
    if (!o.value.exists() || o.value.index() >= types_.size() || !made[o.value]) {
      fail(ErrorKind::invalid, "graph: its output{}{} is made by no node",
           o.name.empty() ? "" : " ", o.name);
    }
    if (!output_names.insert(o.name).second)
      fail(ErrorKind::invalid, "graph: two outputs are called \"{}\"", o.name);
  }
}

ValueId Graph::output(std::string_view name) const {
  for (const Output& o : outputs_) {
    if (o.name == name) return o.value;
  }
  fail(ErrorKind::invalid, "graph: no output is called {}", name);
}

Graph Graph::expanded(std::string_view only) const {
  Builder b;
  IdVector<ValueId, Value> values(types_.size());
  // Parameters first and in order, so that an expansion never renames or reorders them.
  for (const Param& p : params_) b.param(p);
  bool any = false;
  for (const Node& node : nodes_) {
    const std::vector<Value> in = b.inputs(*this, node, values);
    b.set_scope(node.scope);
    std::vector<Value> out;
    if (node.op.composite() && (only.empty() || node.op.name() == only)) {
      if (!node.label.empty()) b.push_scope(node.label);
      out = node.op.expand(b, in);
      any = true;
    } else {
      out = b.add(node.op, in, node.label);
    }
    b.set_scope({});
    for (size_t k = 0; k < out.size(); ++k) values[node.outputs[k]] = out[k];
  }
  std::vector<NamedValue> outputs;
  for (const Output& o : outputs_) outputs.push_back({o.name, values[o.value]});
  Graph g = b.finish(outputs);
  return any ? g.expanded(only) : g;
}

Graph Graph::pruned() const {
  IdVector<ValueId, bool> value_needed(types_.size(), false);
  IdVector<ParamId, bool> param_needed(params_.size(), false);
  IdVector<NodeId, bool> node_needed(nodes_.size(), false);
  for (const Output& o : outputs_) value_needed[o.value] = true;
  for (size_t i = nodes_.size(); i-- > 0;) {
    const NodeId id(i);
    for (const ValueId out : nodes_[id].outputs)
      node_needed[id] = node_needed[id] || value_needed[out];
    if (!node_needed[id]) continue;
    for (const Input& in : nodes_[id].inputs) {
      if (in.is_value())
        value_needed[in.value] = true;
      else
        param_needed[in.param] = true;
    }
  }
  Builder b;
  IdVector<ValueId, Value> values(types_.size());
  for (const ParamId p : params_.ids()) {
    if (param_needed[p]) b.param(params_[p]);
  }
  for (const NodeId id : nodes_.ids()) {
    if (node_needed[id]) b.add_node(*this, nodes_[id], values);
  }
  b.set_scope({});
  std::vector<NamedValue> outputs;
  for (const Output& o : outputs_) outputs.push_back({o.name, values[o.value]});
  return b.finish(outputs);
}

}  // namespace ashlar
