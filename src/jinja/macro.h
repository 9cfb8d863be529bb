// What the interpreter keeps of macros, loops and variables.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "jinja/ast.h"

namespace ashlar::jinja {

/// The variables of one block. A macro keeps the scopes around it.
struct Scope {
  Scope* parent = nullptr;
  std::vector<std::pair<int, Value>> variables;
  bool captured = false;

  Value* find(int name) {
    for (auto& [id, value] : variables) {
      if (id == name) return &value;
    }
    return nullptr;
  }
  void set(int name, const Value& value) {
    if (Value* old = find(name))
      *old = value;
    else
      variables.emplace_back(name, value);
  }
};

struct Macro : Object {
  const Signature* signature = nullptr;
  const Body* body = nullptr;
  const std::vector<int>* unset = nullptr;
  Scope* scope = nullptr;
  const char* type_name() const override { return "Macro"; }
  std::string description() const;
};

/// The variable `loop`.
struct Loop : Object {
  std::function<bool(Value&)> source;
  std::optional<size_t> known_length;  // of what is gone through
  const Node* node = nullptr;          // of a recursive loop
  Scope* scope = nullptr;              // around it
  int64_t index0 = -1;
  int64_t depth0 = 0;
  std::vector<Value> ahead;  // taken from the source, last first
  Value previous, current;
  std::optional<Value> last_changed;

  const char* type_name() const override { return "LoopContext"; }
  std::string description();
  bool next(Value& item);
  bool peek();
  int64_t length();
};

}  // namespace ashlar::jinja
