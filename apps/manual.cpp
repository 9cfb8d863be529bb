// Manual pages of the program and its commands.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "apps/commands.h"
#include "apps/describe.h"
#include "base/error.h"
#include "base/json.h"

namespace ashlar::app {

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  std::vector<const CLI::App*> commands;
  for (const CLI::App* c : app.get_subcommands({}))
    if (!c->get_group().empty()) commands.push_back(c);
  return commands;
}

Described description_of(const CLI::Option& option) {
  Described d{.about = option.get_description()};
  for (const std::string& name : option.get_snames()) d.flags.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) d.flags.push_back("--" + name);
  if (option.get_items_expected_max() == 0) return d;
  // Checks stand behind the name, "N:INT in [0 - 9]", and a list of members: "TEXT:{fast,f32}".
  const std::string type = option.get_type_name();
  const size_t open = type.find(":{"), close = type.find('}', std::min(open, type.size()));
  d.value = type.substr(0, type.find(':'));
  if (close == std::string::npos) return d;
  std::istringstream members(type.substr(open + 2, close - open - 2));
  for (std::string item; std::getline(members, item, ',');) d.values.push_back(item);
  return d;
}

std::vector<Described> described(const CLI::App& command) {
  std::vector<Described> all;
  for (const CLI::Option* option : command.get_options({})) {
    if (!option->get_group().empty()) all.push_back(description_of(*option));
  }
  if (command.get_parent() == nullptr) return all;
  // Of a command with commands of its own: their names, and what any of them takes.
  Described names{.value = "COMMAND"};
  for (const CLI::App* c : commands_of(command)) {
    names.values.push_back(c->get_name());
    names.about += fmt::format("{}{}: {}", names.about.empty() ? "" : "; ", c->get_name(),
                               c->get_description());
    for (Described& d : described(*c)) {
      const auto same = [&](const Described& o) {
        return o.flags == d.flags && o.value == d.value;
      };
      if (std::none_of(all.begin(), all.end(), same)) all.push_back(std::move(d));
    }
  }
  if (!names.values.empty()) all.insert(all.begin(), std::move(names));
  return all;
}

namespace {

/// Text as roff takes it: a backslash is \e, a minus a minus, and no line begins with a dot.
std::string roff(const std::string& text) {
  std::string out;
  bool begins = true;
  for (const char c : text) {
    if (begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out.push_back(c);
    }
    begins = c == '\n';
  }
  return out;
}

std::string joined(const std::vector<std::string>& words, const char* between) {
  return fmt::format("{}", fmt::join(words, between));
}

void add_options(const CLI::App& command, std::string& page) {
  page += ".SH OPTIONS\n";
  for (const Described& d : described(command)) {
    const std::string value = d.values.empty() ? d.value : joined(d.values, "|");
    page += ".TP\n";
    if (!d.flags.empty()) page += "\\fB" + roff(joined(d.flags, ", ")) + "\\fR ";
    if (!value.empty()) page += "\\fI" + roff(value) + "\\fR";
    page += "\n" + roff(d.about) + "\n";
  }
}

/// The manual page of the program, or of one of its commands, in roff.
std::string manual_page(const CLI::App& app, const CLI::App* command) {
  const std::string name = command == nullptr ? "ashlar" : "ashlar-" + command->get_name();
  std::string upper = name;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::string page = fmt::format(
      ".TH {} 1 \"\" \"Ashlar {}\" \"User Commands\"\n.SH NAME\n{} \\- {}\n", roff(upper),
      ASHLAR_VERSION, roff(name),
      command == nullptr ? "count, plan, draw, compare, run and train open language models"
                         : roff(command->get_description()));
  const CLI::App& shown = command == nullptr ? app : *command;
  page += ".SH SYNOPSIS\n\\fBashlar\\fR ";
  if (command == nullptr) {
    page += "[\\fIOPTIONS\\fR] \\fICOMMAND\\fR ...\n.SH DESCRIPTION\n" +
            roff(app.get_description()) + "\n.SH COMMANDS\n";
    for (const CLI::App* c : commands_of(app)) {
      page += fmt::format(".TP\n\\fB{}\\fR\n{}; \\fBashlar\\-{}\\fR(1)\n", roff(c->get_name()),
                          roff(c->get_description()), roff(c->get_name()));
    }
  } else {
    page += "\\fB" + roff(command->get_name()) + "\\fR [\\fIOPTIONS\\fR]";
    for (const Described& d : described(*command))
      if (d.flags.empty()) page += " \\fI" + roff(d.value) + "\\fR";
    page += "\n.SH DESCRIPTION\n" + roff(command->get_description()) + ".\n";
  }
  add_options(shown, page);
  if (!shown.get_footer().empty())
    page += ".SH NOTES\n.nf\n" +
            roff(shown.get_footer().substr(shown.get_footer()[0] == '\n' ? 1 : 0)) + "\n.fi\n";
  page += ".SH SEE ALSO\n";
  page += command == nullptr ? "docs/README.md of the sources\n" : "\\fBashlar\\fR(1)\n";
  return page;
}

void write_manual(const CLI::App& app, const std::filesystem::path& folder) {
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  if (code) fail(ErrorKind::io, "{}: {}", folder.string(), code.message());
  write_file(folder / "ashlar.1", manual_page(app, nullptr));
  for (const CLI::App* c : commands_of(app))
    write_file(folder / fmt::format("ashlar-{}.1", c->get_name()), manual_page(app, c));
}

}  // namespace

void add_descriptions(CLI::App& app) {
  const auto manual = [&app](const std::string& folder) {
    write_manual(app, folder);
    throw Exit{0};
  };
  const auto shell = [&app](const std::string& name) {
    std::fputs(completions(app, name).c_str(), stdout);
    throw Exit{0};
  };
  app.add_option_function<std::string>("--man", manual)->group("");
  app.add_option_function<std::string>("--completions", shell)->group("");
}

}  // namespace ashlar::app
