// Options of commands that generate text.
#pragma once

#include <CLI/CLI.hpp>

#include "generate/generator.h"

namespace ashlar::app {

struct GenerationFlags {
  GenerateOptions options;
  CLI::App* command = nullptr;    // which of the options the user gave
  std::vector<std::string> bias;  // "ID=VALUE"
};

/// Declares --max-tokens, --temperature and so on, with the defaults that `flags` holds.
void add_generation_options(CLI::App& command, GenerationFlags& flags);
GenerateOptions generation_options(const GenerationFlags& flags);  // throws Error(invalid)
/// Takes what the model's publisher recommends (TextModel::sampling) for options that the user did
/// not give, and says on stderr which values those are.
void take_recommendations(const std::map<std::string, double>& sampling,
                          const GenerationFlags& flags, bool quiet, SamplingOptions& options);

/// Declares --var, for ChatRequest::set_variable.
CLI::Option* add_variable_option(CLI::App& command, std::vector<std::string>& variables);

}  // namespace ashlar::app
