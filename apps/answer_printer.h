// Answers as they come, with a model's reasoning told apart.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

#include "generate/reasoning.h"

namespace ashlar::app {

/// Declares --reasoning.
void add_reasoning_option(CLI::App& command, std::string& how);

/// To stdout. Reasoning is shown (dimmed), folded into one line on stderr that counts its words, or
/// hidden. Where stdout is no terminal, only the answer goes there.
class AnswerPrinter {
 public:
  explicit AnswerPrinter(const std::string& how);  // "show", "fold" or "hide"
  void operator()(const Spoken& piece);
  void finish();  // ends the line; call it once after each answer

 private:
  void say(std::string_view text);
  void end_reasoning();

  enum class How : unsigned char { show, fold, hide } how_;
  bool terminal_, on_error_;  // stdout, stderr
  bool within_ = false;       // reasoning
  std::string thought_;
  char last_ = '\n';
};

}  // namespace ashlar::app
