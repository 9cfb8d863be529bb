// The chain rule from node to node.
#include "ops/backward.h"

#include <algorithm>

#include "base/error.h"
#include "ops/elementwise.h"

namespace ashlar {

std::vector<Value> derivative(Builder& b, const Op& op, Values in, Values out, Values dy) {
  if (op.has_derivative() || !op.composite()) return op.derivative(b, in, out, dy);
  const size_t begin = b.recorded().nodes().size();
  const std::vector<Value> made = op.expand(b, in);
  Backward backward(b);
  for (size_t i = 0; i < made.size(); ++i) {
    if (dy[i].exists()) backward.add(made[i], dy[i]);
  }
  backward.run(begin, b.recorded().nodes().size(), {});
  std::vector<Value> gradients;
  for (const Value& v : in) gradients.push_back(backward.gradient(v));
  return gradients;
}

void Backward::add(const Value& of, const Value& gradient) {
  ASHLAR_ASSERT(of.type() == gradient.type(), "a gradient has the type of its value");
  const auto [it, first] = gradients_.emplace(of.input, gradient);
  if (!first) it->second = builder_.add1(Add{}, {it->second, gradient});
}

Value Backward::gradient(const Value& of) const {
  const auto it = gradients_.find(of.input);
  return it == gradients_.end() ? Value{} : it->second;
}

void Backward::run(size_t begin, size_t end, std::string_view to, std::string_view from) {
  const std::string outer = builder_.scope();
  for (size_t i = end; i-- > begin;) {
    const Node node = builder_.recorded().nodes()[NodeId(i)];  // a copy: recording moves the nodes
    std::vector<Value> in, out, dy;
    for (const Input& v : node.inputs) in.push_back({&builder_, v});
    for (const ValueId id : node.outputs) {
      out.push_back({&builder_, id});
      dy.push_back(gradient(out.back()));
    }
    if (std::none_of(dy.begin(), dy.end(), [](const Value& v) { return v.exists(); })) continue;
    std::string scope(to);
    std::string_view inner = node.scope;
    if (!from.empty() && inner.starts_with(from)) {
      inner.remove_prefix(from.size());
      if (inner.starts_with('.')) inner.remove_prefix(1);
    }
    for (const std::string_view part : {inner, std::string_view(node.label)}) {
      if (!scope.empty() && !part.empty()) scope += '.';
      scope += part;
    }
    builder_.set_scope(scope);
    const std::vector<Value> d = derivative(builder_, node.op, in, out, dy);
    for (size_t k = 0; k < d.size(); ++k) {
      if (d[k].exists()) add(in[k], d[k]);
    }
  }
  builder_.set_scope(outer);
}

}  // namespace ashlar
