// Reverse-mode differentiation over recorded nodes: what every op says of its inputs' gradients,
// put together.
#pragma once

#include <map>
#include <vector>

#include "graph/builder.h"

namespace ashlar {

/// The gradients of a composite's inputs by way of its expansion, or what the op itself states.
std::vector<Value> derivative(Builder& b, const Op& op, Values in, Values out, Values dy);

/// Gradients of the values and parameters of one builder, as they are recorded.
class Backward {
 public:
  explicit Backward(Builder& b) : builder_(b) {}

  /// Another contribution to the gradient of `of`; contributions are added up.
  void add(const Value& of, const Value& gradient);
  /// What has come together so far; does not exist if nothing has.
  Value gradient(const Value& of) const;
  /// The nodes [begin, end) that the builder has recorded, from last to first: each one's share of
  /// the gradients of what it reads. New nodes get the scope and label of their node, which stands
  /// in scope `from`, behind `to` in its place.
  void run(size_t begin, size_t end, std::string_view to, std::string_view from = {});

 private:
  Builder& builder_;
  std::map<Input, Value> gradients_;
};

}  // namespace ashlar
