// A template as a program that embeds the language sees it: parsed once, rendered within bounds.
#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "jinja/interpreter.h"

namespace ashlar::jinja {

/// The value that JSON text describes; integers of any size (jinja/exact_json.h). Strings that are
/// not `trusted` are marked as given from outside (Str::from_values). Only while a Budget is
/// current.
Value from_json(const Json& json, bool trusted);

/// Immutable; any number of threads may render at the same time.
class Template {
 public:
  /// `where` names the template in errors. Throws Error with the line: format for what is no
  /// template, unsupported for what this engine leaves out.
  Template(std::string_view source, std::string where);

  /// `define` gives the interpreter its variables; `now` is what strftime_now tells. Throws Error
  /// with the line: invalid, unsupported, or resource where a bound of time, memory or depth is
  /// met. What a template raises itself (raise_exception) is the end of the message.
  void render(const std::function<void(Interpreter&)>& define, std::function<std::tm()> now,
              std::string& text, std::vector<Span>& from_values) const;

  const std::string& where() const { return where_; }
  /// All text that the template itself holds: between tags and as string literals.
  const std::vector<std::string>& literals() const { return program_->literals; }

 private:
  std::string where_;
  std::unique_ptr<Program> program_;
};

}  // namespace ashlar::jinja
