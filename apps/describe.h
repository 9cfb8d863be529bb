// The program's own description in other forms, made from what its commands declare: manual pages
// and completions for shells. Hidden options, for packages (docs/install.md).
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace ashlar::app {

/// --man DIR and --completions SHELL.
void add_descriptions(CLI::App& app);

/// `shell` is bash, zsh or fish.
std::string completions(const CLI::App& app, const std::string& shell);

/// An option or positional as a person sees it.
struct Described {
  std::vector<std::string> flags;   // "-o", "--output"; empty: positional
  std::string value;                // "F", "N"; empty: takes none
  std::vector<std::string> values;  // the only ones it takes; empty: any
  std::string about;
};
Described description_of(const CLI::Option& option);
/// What a command declares, without hidden options; with commands of its own, those as the values
/// of a positional, and what they declare.
std::vector<Described> described(const CLI::App& command);
std::vector<const CLI::App*> commands_of(const CLI::App& app);

}  // namespace ashlar::app
