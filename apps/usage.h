// What all commands' usage has in common: help that fits the terminal, grouped by purpose; numbers
// with units; and what was probably meant.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace ashlar::app {

/// Groups the commands, gives help its form, and lets every option that takes a whole number read
/// 32k, 128Ki and 1e5, and every option that takes a format read it in any case. Called once, when
/// all commands are declared.
void finish_usage(CLI::App& app);

/// The screen of `ashlar` alone.
std::string first_screen();

/// A message when the first word is meant as a command and is none; else empty.
std::string unknown_command(const CLI::App& app, int argc, char** argv);
/// The nearest option for the first one of the command line that its command does not have; empty:
/// there is none such.
std::string unknown_option(const CLI::App& app, int argc, char** argv);

}  // namespace ashlar::app
