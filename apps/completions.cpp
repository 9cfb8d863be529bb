// Completions for shells: commands, options, the values that options take, names of released
// models and machines, files.
#include <fmt/format.h>

#include <algorithm>

#include "apps/describe.h"
#include "base/error.h"
#include "blueprint/blueprint.h"
#include "readings/predict/predict.h"

namespace ashlar::app {
namespace {

enum class Kind { none, choice, file, folder, model, machine, other };

/// What comes after an option, by the name of its value.
Kind kind_of(const Described& d) {
  if (!d.values.empty()) return Kind::choice;
  if (d.value.empty()) return Kind::none;
  if (d.value.starts_with("MODEL")) return Kind::model;
  if (std::find(d.flags.begin(), d.flags.end(), "--machine") != d.flags.end()) return Kind::machine;
  if (d.value == "DIR" || d.value == "FOLDER") return Kind::folder;
  if (d.value == "FILE" || d.value == "F" || d.value.starts_with("F.") ||
      d.value.ends_with(".json") || d.value.ends_with(".JSON"))
    return Kind::file;
  return Kind::other;
}

std::string words(const std::vector<std::string>& all) {
  return fmt::format("{}", fmt::join(all, " "));
}

/// In single quotes for a shell.
std::string quoted(const std::string& text, const char* quote_inside) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'')
      out += quote_inside;
    else
      out.push_back(c == '\n' ? ' ' : c);
  }
  return out + "'";
}

std::string all_flags(const CLI::App& command) {
  std::vector<std::string> flags;
  for (const Described& d : described(command))
    flags.insert(flags.end(), d.flags.begin(), d.flags.end());
  return words(flags);
}

std::string names_of(const std::vector<const CLI::App*>& commands) {
  std::vector<std::string> names;
  for (const CLI::App* c : commands) names.push_back(c->get_name());
  return words(names);
}

std::string bash(const CLI::App& app) {
  std::string values, options;
  const auto add = [&](const std::string& name, const CLI::App& command) {
    for (const Described& d : described(command)) {
      const Kind kind = kind_of(d);
      if (kind == Kind::none || d.flags.empty()) continue;
      std::string patterns;
      for (const std::string& flag : d.flags)
        patterns += fmt::format("{}\"{} {}\"", patterns.empty() ? "" : " | ", name, flag);
      const std::string made = kind == Kind::choice    ? fmt::format("-W \"{}\"", words(d.values))
                               : kind == Kind::model   ? "-f -W \"$models\""
                               : kind == Kind::machine ? "-f -W \"$machines\""
                               : kind == Kind::folder  ? "-d"
                               : kind == Kind::file    ? "-f"
                                                       : "";
      values += made.empty()
                    ? fmt::format("    {}) return ;;\n", patterns)
                    : fmt::format("    {}) COMPREPLY=($(compgen {} -- \"$cur\")); return ;;\n",
                                  patterns, made);
    }
    std::string own;
    for (const Described& d : described(command))
      if (d.flags.empty() && !d.values.empty()) own += (own.empty() ? "" : " ") + words(d.values);
    options +=
        fmt::format("    \"{}\") words=\"{}\" own=\"{}\" ;;\n", name, all_flags(command), own);
  };
  add("", app);
  for (const CLI::App* c : commands_of(app)) add(c->get_name(), *c);
  return fmt::format(
      R"(# Completions of ashlar for bash, made by `ashlar --completions bash`.
_ashlar() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} command="" words own i
  local models="{models}"
  local machines="{machines}"
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${{COMP_WORDS[i]}} in
      --data) ((++i)) ;;
      -*) ;;
      *) command=${{COMP_WORDS[i]}}; break ;;
    esac
  done
  case "$command $prev" in
{values}  esac
  case "$command" in
{options}  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
  elif [[ -z $command ]]; then
    COMPREPLY=($(compgen -W "{commands}" -- "$cur"))
  else
    COMPREPLY=($(compgen -f -W "$models $own" -- "$cur"))
  fi
}}
complete -o filenames -F _ashlar ashlar
)",
      fmt::arg("models", words(blueprint_names())), fmt::arg("machines", words(machine_names())),
      fmt::arg("values", values), fmt::arg("options", options),
      fmt::arg("commands", names_of(commands_of(app))));
}

/// Text inside of the brackets of _arguments.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

std::string zsh_arguments(const CLI::App& command) {
  std::string out;
  for (const Described& d : described(command)) {
    const Kind kind = kind_of(d);
    const std::string action = kind == Kind::choice    ? "(" + words(d.values) + ")"
                               : kind == Kind::model   ? "_ashlar_models"
                               : kind == Kind::machine ? "_ashlar_machines"
                               : kind == Kind::folder  ? "_files -/"
                               : kind == Kind::file    ? "_files"
                                                       : " ";
    if (d.flags.empty()) {
      out +=
          " " + quoted("*:" + zsh_text(d.value) + ":" + (kind == Kind::other ? "_files" : action),
                       "'\\''");
      continue;
    }
    for (const std::string& flag : d.flags) {
      out += " \\\n      " +
             quoted("*" + flag + "[" + zsh_text(d.about) + "]" +
                        (kind == Kind::none ? "" : ":" + zsh_text(d.value) + ":" + action),
                    "'\\''");
    }
  }
  return out;
}

std::string zsh(const CLI::App& app) {
  std::string list, cases;
  for (const CLI::App* c : commands_of(app)) {
    std::string name = c->get_name();
    list += "    " + quoted(name + ":" + c->get_description(), "'\\''") + "\n";
    cases += fmt::format("    {})\n      _arguments{} ;;\n", name, zsh_arguments(*c));
  }
  return fmt::format(
      R"(#compdef ashlar
# Completions of ashlar for zsh, made by `ashlar --completions zsh`.
_ashlar_models() {{
  local -a models=({models})
  _alternative 'models:released model:compadd -a models' 'files:file:_files'
}}
_ashlar_machines() {{
  local -a machines=({machines})
  _alternative 'machines:machine:compadd -a machines' 'files:file:_files'
}}
_ashlar() {{
  local -a commands=(
{list}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    _arguments{own}
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
{cases}  esac
}}
_ashlar "$@"
)",
      fmt::arg("models", words(blueprint_names())), fmt::arg("machines", words(machine_names())),
      fmt::arg("list", list), fmt::arg("own", zsh_arguments(app)), fmt::arg("cases", cases));
}

std::string fish(const CLI::App& app) {
  std::string out =
      "# Completions of ashlar for fish, made by `ashlar --completions fish`.\n"
      "set -l models " +
      words(blueprint_names()) + "\nset -l machines " + words(machine_names()) + "\n";
  const auto add = [&](const CLI::App& command, const std::string& when) {
    for (const Described& d : described(command)) {
      const Kind kind = kind_of(d);
      std::string line = "complete -c ashlar -n " + when;
      if (d.flags.empty()) {
        if (kind == Kind::model) out += line + " -a \"$models\"\n";
        if (kind == Kind::choice) out += line + " -a \"" + words(d.values) + "\"\n";
        continue;
      }
      for (const std::string& flag : d.flags)
        line += flag.starts_with("--") ? " -l " + flag.substr(2) : " -s " + flag.substr(1);
      line += kind == Kind::none      ? ""
              : kind == Kind::choice  ? " -x -a \"" + words(d.values) + "\""
              : kind == Kind::model   ? " -r -a \"$models\""
              : kind == Kind::machine ? " -r -a \"$machines\""
              : kind == Kind::other   ? " -x"
                                      : " -r";
      out += line + " -d " + quoted(d.about, "\\'") + "\n";
    }
  };
  add(app, "__fish_use_subcommand");
  for (const CLI::App* c : commands_of(app)) {
    out += fmt::format("complete -c ashlar -n __fish_use_subcommand -f -a {} -d {}\n",
                       c->get_name(), quoted(c->get_description(), "\\'"));
    add(*c, "'__fish_seen_subcommand_from " + c->get_name() + "'");
  }
  return out;
}

}  // namespace

std::string completions(const CLI::App& app, const std::string& shell) {
  if (shell == "bash") return bash(app);
  if (shell == "zsh") return zsh(app);
  if (shell == "fish") return fish(app);
  fail(ErrorKind::invalid, "--completions {}: expected bash, zsh or fish", shell);
}

}  // namespace ashlar::app
