// Names of the library's options as the command line spells them.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace ashlar::app {

/// A message of the library with its options (`context`) written as flags of a command (--context).
/// Words in backquotes that are no option of the command stay as they are. The command is the one that was
/// chosen on the command line.
std::string with_flags(const std::string& message);
/// The program, of whose commands one is chosen; it lives as long as messages are written.
void set_program(const CLI::App& app);

}  // namespace ashlar::app
