// Guards of the interpreter's state: a scope of variables, a setting that comes back.
#pragma once

#include "jinja/interpreter.h"

namespace ashlar::jinja {

/// A scope of its own for as long as this lives.
class Interpreter::Inner {
 public:
  Inner(Interpreter& self, Scope* parent);
  ~Inner();
  Inner(const Inner&) = delete;
  Inner& operator=(const Inner&) = delete;

 private:
  Interpreter& self_;
  Scope* old_;
  Scope* mine_;
};

/// Sets a variable for as long as this lives.
template <class T>
class Restored {
 public:
  Restored(T& variable, T value) : variable_(variable), old_(variable) { variable = value; }
  ~Restored() { variable_ = old_; }
  Restored(const Restored&) = delete;
  Restored& operator=(const Restored&) = delete;

 private:
  T& variable_;
  T old_;
};

}  // namespace ashlar::jinja
