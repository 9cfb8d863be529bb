// Help, numbers, near names.
#include "apps/usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <map>

#include "apps/terminal.h"
#include "base/edit_distance.h"
#include "base/lower_case.h"

namespace ashlar::app {
namespace {

struct Purpose {
  const char* name;
  std::vector<const char*> commands;
};

const std::vector<Purpose>& purposes() {
  static const std::vector<Purpose> all = {
      {"Run a model", {"run", "chat", "fetch", "convert", "tokenize", "detokenize", "render"}},
      {"Look at an architecture",
       {"show", "count", "explain", "draw", "compare", "report", "claims"}},
      {"Plan and measure", {"plan", "probe", "bench"}},
      {"Check numbers", {"verify", "logits", "perplexity", "gradients"}},
      {"Train", {"train", "tokenizer", "data", "evaluate", "runs", "experiment"}},
  };
  return all;
}

/// Words of other programs, and what they are called here.
const std::map<std::string, std::string>& other_words() {
  static const std::map<std::string, std::string> words = {
      {"list", "show --list"},
      {"ls", "show --list"},
      {"models", "show --list"},
      {"families", "show --families"},
      {"pull", "fetch"},
      {"download", "fetch"},
      {"get", "fetch"},
      {"generate", "run"},
      {"complete", "run"},
      {"ask", "run --chat"},
      {"info", "show"},
      {"inspect", "show"},
      {"metadata", "show --metadata"},
      {"quantize", "convert"},
      {"quantise", "convert"},
      {"export", "convert"},
      {"benchmark", "bench"},
      {"speed", "bench"},
      {"params", "count"},
      {"parameters", "count"},
      {"memory", "plan"},
      {"fit", "plan"},
      {"machines", "plan --list"},
      {"diff", "compare"},
      {"plot", "draw"},
      {"diagram", "draw"},
      {"template", "render"},
      {"ppl", "perplexity"},
      {"test", "verify"},
      {"check", "verify"},
      {"finetune", "train"},
      {"decode", "detokenize"},
      {"encode", "tokenize"},
  };
  return words;
}

/// A list of terms with what they mean: two columns, or below each other where it is narrow.
std::string definitions(const std::vector<std::pair<std::string, std::string>>& items,
                        int columns) {
  constexpr size_t kWidestTerm = 30;
  size_t widest = 0;
  for (const auto& [term, meaning] : items) {
    if (term.size() <= kWidestTerm) widest = std::max(widest, term.size());
  }
  const bool beside = columns >= 64;
  std::string text;
  for (const auto& [term, meaning] : items) {
    const size_t indent = beside ? widest + 4 : 6;
    std::string line = "  " + term;
    if (!beside || term.size() > widest) {
      text += wrapped(line, columns) + "\n";
      line.clear();
    }
    line.resize(std::max(line.size(), indent), ' ');
    // wrapped() would take the gap for the one between columns; so the meaning is laid out alone.
    const std::string block = wrapped(meaning, std::max(columns - static_cast<int>(indent), 16));
    for (size_t at = 0; at <= block.size();) {
      const size_t end = std::min(block.find('\n', at), block.size());
      std::string_view row = std::string_view(block).substr(at, end - at);
      if (at > 0) row.remove_prefix(std::min(row.find_first_not_of(' '), row.size()));
      text += (at == 0 ? line : std::string(indent, ' ')) + std::string(row) + "\n";
      at = end + 1;
    }
  }
  return text;
}

int help_columns() {
  constexpr int kWidest = 100;  // longer lines are hard to read
  const int width = columns(stdout);
  return width == 0 ? kWidest : std::min(width, kWidest);
}

/// "N:INT in [0 - 9]" -> "N": the checks of a value are not its name.
std::string value_name(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

std::string spelling(const CLI::Option& option) {
  std::string text;
  for (const std::string& name : option.get_snames()) text += (text.empty() ? "-" : ", -") + name;
  for (const std::string& name : option.get_lnames()) text += (text.empty() ? "--" : ", --") + name;
  if (option.get_expected_max() > 0 && !value_name(option).empty())
    text += " " + value_name(option);
  return text;
}

std::string heading(const std::string& text) { return styled(stdout, Style::bold, text); }

class HelpFormatter : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const override {
    const int columns = help_columns();
    std::string text = wrapped(app->get_description(), columns) + "\n\n" + usage(*app, columns);
    std::vector<std::pair<std::string, std::string>> arguments;
    std::vector<std::pair<std::string, std::vector<const CLI::Option*>>> groups;
    for (const CLI::Option* option : app->get_options([](const CLI::Option*) { return true; })) {
      if (option->get_positional()) {
        arguments.emplace_back(value_name(*option), option->get_description());
        continue;
      }
      if (option->get_group().empty()) continue;  // hidden
      const auto same = std::find_if(groups.begin(), groups.end(),
                                     [&](const auto& g) { return g.first == option->get_group(); });
      auto& group = same != groups.end() ? *same
                                         : groups.emplace_back(option->get_group(),
                                                               std::vector<const CLI::Option*>());
      group.second.push_back(option);
    }
    if (!arguments.empty())
      text += "\n" + heading("Arguments") + "\n" + definitions(arguments, columns);
    text += commands(*app, columns);
    // The command's own options first, then what groups it has.
    std::stable_partition(groups.begin(), groups.end(),
                          [](const auto& g) { return g.first == "Options"; });
    for (const auto& [name, options] : groups) {
      std::vector<std::pair<std::string, std::string>> items;
      for (const CLI::Option* option : options) {
        std::string meaning = option->get_description();
        const std::string value = option->get_default_str();
        if (!value.empty() && meaning.find("default") == std::string::npos)
          meaning += " (default " + value + ")";
        items.emplace_back(spelling(*option), meaning);
      }
      text += "\n" + wrapped_heading(name, columns) + definitions(items, columns);
    }
    if (!app->get_footer().empty()) {
      std::string footer = app->get_footer();
      footer.erase(0, footer.find_first_not_of('\n'));
      text += "\n" + wrapped(footer, columns) + "\n";
    }
    return text;
  }

 private:
  static std::string wrapped_heading(const std::string& name, int columns) {
    return heading(wrapped(name, columns)) + "\n";
  }

  static std::string usage(const CLI::App& app, int columns) {
    const bool top = app.get_parent() == nullptr;
    std::string line = "Usage: ashlar" + (top ? std::string(" COMMAND") : " " + app.get_name());
    for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
      if (!option->get_positional()) continue;
      const std::string name = value_name(*option);
      line += option->get_required() ? " " + name : " [" + name + "]";
    }
    return wrapped(line + " [options]", columns) + "\n";
  }

  static std::string commands(const CLI::App& app, int columns) {
    std::string text;
    std::vector<std::string> groups;
    for (const CLI::App* command : app.get_subcommands({})) {
      const std::string& group = command->get_group();
      if (!group.empty() && std::find(groups.begin(), groups.end(), group) == groups.end())
        groups.push_back(group);
    }
    std::stable_sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) {
      const auto place = [](const std::string& name) {
        const auto& all = purposes();
        return std::find_if(all.begin(), all.end(), [&](const auto& p) { return name == p.name; }) -
               all.begin();
      };
      return place(a) < place(b);
    });
    for (const std::string& group : groups) {
      std::vector<std::pair<std::string, std::string>> items;
      for (const CLI::App* command : app.get_subcommands({})) {
        if (command->get_group() != group) continue;
        std::string about = command->get_description();
        about.resize(std::min(about.find("; exit code"), about.size()));
        items.emplace_back(command->get_name(), about);
      }
      text += "\n" + heading(group) + "\n" + definitions(items, columns);
    }
    return text;
  }
};

void read_units(CLI::Option& option) {
  option.transform(CLI::Validator(
      [](std::string& text) {
        if (const auto number = whole_number(text)) text = *number;
        return std::string();
      },
      ""));
}

void read_any_case(CLI::Option& option) {
  option.transform(CLI::Validator(
      [](std::string& text) {
        text = lower_case(std::move(text));
        return std::string();
      },
      ""));
}

/// Where the command stands: the first word that is neither an option nor an option's value; 0:
/// nowhere.
int place_of_command(const CLI::App& app, int argc, char** argv) {
  int at = 1;
  while (at < argc && argv[at][0] == '-') {
    const CLI::Option* option = app.get_option_no_throw(argv[at]);
    at += option != nullptr && option->get_expected_min() > 0 ? 2 : 1;
  }
  return at < argc ? at : 0;
}

}  // namespace

std::optional<std::string> whole_number(std::string_view text) {
  if (text.empty() || (std::isdigit(static_cast<unsigned char>(text.front())) == 0 &&
                       text.front() != '.' && text.front() != '-'))
    return std::nullopt;
  std::string digits;
  for (const char c : text) {
    if (c != '_') digits.push_back(c);
  }
  char* end = nullptr;
  const double number = std::strtod(digits.c_str(), &end);
  const std::string unit = end;
  static const std::map<std::string, double> kUnits = {
      {"", 1},        {"k", 1e3},     {"K", 1e3},     {"m", 1e6},    {"M", 1e6},     {"g", 1e9},
      {"G", 1e9},     {"b", 1e9},     {"B", 1e9},     {"T", 1e12},   {"Ki", 0x1p10}, {"ki", 0x1p10},
      {"Mi", 0x1p20}, {"mi", 0x1p20}, {"Gi", 0x1p30}, {"gi", 0x1p30}};
  const auto factor = kUnits.find(unit);
  // Digits alone are left to the option, which knows its range; 0x10 is no number here.
  if (factor == kUnits.end() || digits.find_first_of("xX") != std::string::npos)
    return std::nullopt;
  if (unit.empty() && digits.find_first_not_of("-0123456789") == std::string::npos) return digits;
  const double value = number * factor->second;
  if (value != std::floor(value) || std::abs(value) > 9e18) return std::nullopt;
  return fmt::format("{}", static_cast<int64_t>(value));
}

void finish_usage(CLI::App& app) {
  const auto formatter = std::make_shared<HelpFormatter>();
  app.formatter(formatter);
  for (CLI::App* command : app.get_subcommands({})) {
    command->formatter(formatter);
    command->group("More");
    for (const Purpose& purpose : purposes()) {
      for (const char* name : purpose.commands) {
        if (command->get_name() == name) command->group(purpose.name);
      }
    }
    for (CLI::Option* option : command->get_options([](CLI::Option*) { return true; })) {
      const std::string value = value_name(*option);
      if (value == "N" || value == "K" || value == "SEED" || value == "R") read_units(*option);
      if (value == "FORMAT") read_any_case(*option);
    }
  }
}

std::string first_screen() {
  const int columns = help_columns();
  const std::string text =
      "Ashlar runs open language models on this machine and says what they are: how many "
      "parameters, what they cost, whether they fit, how they differ.\n"
      "\n"
      "Try\n"
      "  ashlar show --list                     models whose architecture is here, no weights\n"
      "  ashlar show qwen3-8b                   what one of them is\n"
      "  ashlar plan qwen3-8b                   does it fit this machine, how fast will it be\n"
      "  ashlar compare qwen3-8b llama-3.1-8b   what two do differently\n"
      "  ashlar fetch Qwen/Qwen3-0.6B           a model of the Hugging Face hub, with weights\n"
      "  ashlar chat Qwen/Qwen3-0.6B            talk with it\n"
      "  ashlar run model.gguf \"The sea is\"     go on from a text\n"
      "\n"
      "ashlar --help lists all commands, ashlar COMMAND --help teaches one.\n";
  return wrapped(text, columns);
}

std::string unknown_command(const CLI::App& app, int argc, char** argv) {
  const int at = place_of_command(app, argc, argv);
  if (at == 0) return "";
  const std::string word = argv[at];
  std::vector<std::string> names;
  for (const CLI::App* c : app.get_subcommands({})) names.push_back(c->get_name());
  if (std::find(names.begin(), names.end(), word) != names.end()) return "";
  const auto meant = other_words().find(word);
  if (meant != other_words().end())
    return fmt::format("there is no command \"{}\"; here it is `ashlar {}`", word, meant->second);
  return fmt::format("there is no command \"{}\", the nearest is {}; ashlar --help lists them",
                     word, nearest(word, names, 1).at(0));
}

std::string unknown_option(const CLI::App& app, int argc, char** argv) {
  const int at = place_of_command(app, argc, argv);
  if (at == 0) return "";
  const CLI::App* command = nullptr;
  for (const CLI::App* c : app.get_subcommands({}))
    command = c->get_name() == argv[at] ? c : command;
  if (command == nullptr) return "";
  std::vector<std::string> names;
  for (const CLI::Option* option : command->get_options([](const CLI::Option*) { return true; })) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  for (int i = at + 1; i < argc && std::string_view(argv[i]) != "--"; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with("--")) continue;
    const std::string name = word.substr(0, word.find('='));
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    return fmt::format("ashlar {} has no option {}, the nearest is {}; ashlar {} --help lists them",
                       argv[at], name, nearest(name, names, 1).at(0), argv[at]);
  }
  return "";
}

}  // namespace ashlar::app
