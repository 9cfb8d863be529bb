// Options of commands that generate text.
#pragma once

#include <CLI/CLI.hpp>

#include "apps/commands.h"
#include "generate/generator.h"

namespace ashlar::app {

struct GenerationFlags {
  GenerateOptions options;
  CLI::App* command = nullptr;    // which of the options the user gave
  std::vector<std::string> bias;  // "ID=VALUE"
  std::string draft = "off";      // or lookup, mtp, or a model
};

/// Declares --max-tokens, --temperature and so on, with the defaults that `flags` holds.
void add_generation_options(CLI::App& command, GenerationFlags& flags);
GenerateOptions generation_options(const GenerationFlags& flags);  // throws Error(invalid)
/// Sets the option of that name, such as top_p; false: there is none.
bool set_sampling(const std::string& name, double value, SamplingOptions& options);
/// Takes what the model's publisher recommends (TextModel::sampling) for options that the user did
/// not give, and says on stderr which values those are.
void take_recommendations(const std::map<std::string, double>& sampling,
                          const GenerationFlags& flags, bool quiet, SamplingOptions& options);

/// What --draft names for an engine of engine_of(model, ..., name == "mtp"), none for off. Where the
/// model's sequences cannot go back a note says so.
std::shared_ptr<Drafter> drafter_of(const std::string& name, const ModelOptions& options,
                                    const Model& model, Engine& engine);
/// ", 12 of 30 drafted tokens accepted"; empty where none were drafted.
std::string drafting_text(const Generation& result);

/// Throws Error(invalid) for what is no list of messages; `where` names its source in the error.
void check_messages(const Json& messages, const std::string& where);
/// Declares --var, for ChatRequest::set_variable.
CLI::Option* add_variable_option(CLI::App& command, std::vector<std::string>& variables);

}  // namespace ashlar::app
