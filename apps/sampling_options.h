// Options of commands that generate text.
#pragma once

#include <CLI/CLI.hpp>

#include "generate/generator.h"

namespace ashlar::app {

struct GenerationFlags {
  GenerateOptions options;
  std::vector<std::string> bias;  // "ID=VALUE"
};

/// Declares --max-tokens, --temperature and so on, with the defaults that `flags` holds.
void add_generation_options(CLI::App& command, GenerationFlags& flags);
GenerateOptions generation_options(const GenerationFlags& flags);  // throws Error(invalid)

/// Declares --var, for ChatRequest::set_variable.
CLI::Option* add_variable_option(CLI::App& command, std::vector<std::string>& variables);

}  // namespace ashlar::app
