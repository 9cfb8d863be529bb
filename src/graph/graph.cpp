// The verifier, expansion of composites, and small questions to a graph.
#include "graph/graph.h"

#include <set>

#include "base/error.h"
#include "graph/builder.h"

namespace ashlar {

std::span<const std::string_view> enum_names(Role) {
  static constexpr std::string_view kNames[] = {"embedding", "position", "projection", "router",
                                                "expert",    "norm",     "bias",       "sink"};
  return kNames;
}

Type Graph::type(const Input& in) const {
  if (in.from == Input::From::value) return type(in.id);
  return {Kind::real, params_[static_cast<size_t>(in.id)].axes};
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
  std::vector<bool> made(types_.size(), false), used(params_.size(), false);
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    const auto where = [&] {
      return fmt::format("graph: node {} ({}{}{}, op {})", i, node.scope,
                         node.label.empty() ? "" : ".", node.label, node.op.name());
    };
    for (const Input& in : node.inputs) {
      const size_t limit = in.from == Input::From::value ? types_.size() : params_.size();
      if (in.id < 0 || static_cast<size_t>(in.id) >= limit)
        fail(ErrorKind::invalid, "{}: input does not exist", where());
      if (in.from == Input::From::param)
        used[static_cast<size_t>(in.id)] = true;
      else if (!made[static_cast<size_t>(in.id)])
        fail(ErrorKind::invalid, "{}: reads %{} before it is made", where(), in.id);
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
      const auto id = static_cast<size_t>(node.outputs[k]);
      if (id >= types_.size() || made[id])
        fail(ErrorKind::invalid, "{}: makes %{} a second time", where(), id);
      made[id] = true;
      if (!(types_[id] == out[k])) {
        fail(ErrorKind::invalid, "{}: makes {}, recorded as {}", where(), to_string(out[k]),
             to_string(types_[id]));
      }
    }
  }
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i])
      fail(ErrorKind::invalid, "graph: parameter {} is read by no node", params_[i].name);
  }
  if (outputs_.empty()) fail(ErrorKind::invalid, "graph: it has no output");
  std::set<std::string_view> output_names;
  for (const Output& o : outputs_) {
    if (o.value < 0 || static_cast<size_t>(o.value) >= types_.size() ||
        !made[static_cast<size_t>(o.value)]) {
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

namespace {

/// A parameter of another graph, of which `b` has none yet.
Value same_param(Builder& b, const Param& p) {
  return b.param(p.name, p.axes, p.role,
                 p.row_axes == 0 ? 0 : static_cast<int64_t>(p.axes.size()) - p.row_axes);
}

}  // namespace

Graph Graph::expanded(std::string_view only) const {
  Builder b;
  std::vector<Value> values(types_.size());
  // Parameters first and in order, so that an expansion never renames or reorders them.
  for (const Param& p : params_) same_param(b, p);
  bool any = false;
  for (const Node& node : nodes_) {
    std::vector<Value> in;
    for (const Input& i : node.inputs) {
      in.push_back(i.from == Input::From::value
                       ? values[static_cast<size_t>(i.id)]
                       : b.param_named(params_[static_cast<size_t>(i.id)].name));
    }
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
    for (size_t k = 0; k < out.size(); ++k) values[static_cast<size_t>(node.outputs[k])] = out[k];
  }
  std::vector<NamedValue> outputs;
  for (const Output& o : outputs_)
    outputs.push_back({o.name, values[static_cast<size_t>(o.value)]});
  Graph g = b.finish(outputs);
  return any ? g.expanded(only) : g;
}

Graph Graph::pruned() const {
  std::vector<bool> value_needed(types_.size(), false), param_needed(params_.size(), false);
  std::vector<bool> node_needed(nodes_.size(), false);
  for (const Output& o : outputs_) value_needed[static_cast<size_t>(o.value)] = true;
  for (size_t i = nodes_.size(); i-- > 0;) {
    for (const ValueId out : nodes_[i].outputs)
      node_needed[i] = node_needed[i] || value_needed[static_cast<size_t>(out)];
    if (!node_needed[i]) continue;
    for (const Input& in : nodes_[i].inputs)
      (in.from == Input::From::value ? value_needed : param_needed)[static_cast<size_t>(in.id)] =
          true;
  }
  Builder b;
  std::vector<Value> values(types_.size()), params(params_.size());
  for (size_t i = 0; i < params_.size(); ++i) {
    if (param_needed[i]) params[i] = same_param(b, params_[i]);
  }
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!node_needed[i]) continue;
    std::vector<Value> in;
    for (const Input& v : nodes_[i].inputs)
      in.push_back((v.from == Input::From::value ? values : params)[static_cast<size_t>(v.id)]);
    b.set_scope(nodes_[i].scope);
    const std::vector<Value> out = b.add(nodes_[i].op, in, nodes_[i].label);
    b.set_scope({});
    for (size_t k = 0; k < out.size(); ++k)
      values[static_cast<size_t>(nodes_[i].outputs[k])] = out[k];
  }
  std::vector<NamedValue> outputs;
  for (const Output& o : outputs_)
    outputs.push_back({o.name, values[static_cast<size_t>(o.value)]});
  return b.finish(outputs);
}

}  // namespace ashlar
