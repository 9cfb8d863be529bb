// Help, numbers, near names.
#include "apps/usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <map>
#include <optional>

#include "apps/describe.h"
#include "apps/terminal.h"
#include "base/edit_distance.h"
#include "base/lower_case.h"

namespace ashlar::app {
namespace {

struct Purpose {
  const char* name;
  std::vector<const char*> commands;
};

const std::vector<Purpose> kPurposes = {
    {"Run a model", {"run", "chat", "fetch", "convert", "tokenize", "detokenize", "render"}},
    {"Look at an architecture",
     {"show", "count", "explain", "draw", "compare", "report", "claims"}},
    {"Plan and measure", {"plan", "probe", "bench"}},
    {"Check numbers", {"verify", "logits", "perplexity", "gradients"}},
    {"Train", {"train", "tokenizer", "data", "evaluate", "runs", "experiment"}},
};

/// Options by the names they have in other programs, and what they are called here.
const std::vector<std::pair<const char*, std::vector<std::string_view>>> kOtherWords = {
    {"show --list", {"list", "ls", "models"}},
    {"show --families", {"families"}},
    {"show --metadata", {"metadata"}},
    {"show", {"info", "inspect"}},
    {"fetch", {"pull", "download", "get"}},
    {"run", {"generate", "complete"}},
    {"run --chat", {"ask"}},
    {"convert", {"quantize", "quantise", "export"}},
    {"bench", {"benchmark", "speed"}},
    {"count", {"params", "parameters"}},
    {"plan", {"memory", "fit"}},
    {"plan --list", {"machines"}},
    {"compare", {"diff"}},
    {"draw", {"plot", "diagram"}},
    {"render", {"template"}},
    {"perplexity", {"ppl"}},
    {"verify", {"test", "check"}},
    {"train", {"finetune"}},
    {"detokenize", {"decode"}},
    {"tokenize", {"encode"}},
};

using Items = std::vector<std::pair<std::string, std::string>>;  // terms and what they mean

/// Two columns; in a narrow terminal the second stands below the first.
std::string definitions(const Items& items, int columns) {
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

/// "-o, --output F"
std::string spelling(const Described& option) {
  const std::string value = option.value.empty() ? "" : " " + option.value;
  return fmt::format("{}{}", fmt::join(option.flags, ", "), value);
}

using Groups = std::vector<std::pair<std::string, Items>>;  // with their names, in their order

Items& group_of(Groups& groups, const std::string& name) {
  const auto found =
      std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == name; });
  return found != groups.end() ? found->second : groups.emplace_back(name, Items()).second;
}

std::string sections(const Groups& groups, int columns) {
  std::string text;
  for (const auto& [name, items] : groups) {
    if (!items.empty())
      text += "\n" + styled(stdout, Style::bold, name) + "\n" + definitions(items, columns);
  }
  return text;
}

Groups commands_by_purpose(const CLI::App& app) {
  Groups groups;
  for (const Purpose& purpose : kPurposes) groups.emplace_back(purpose.name, Items());
  for (const CLI::App* command : commands_of(app)) {
    std::string about = command->get_description();
    about.resize(std::min(about.find("; exit code"), about.size()));
    group_of(groups, command->get_group()).emplace_back(command->get_name(), about);
  }
  return groups;
}

class HelpFormatter : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const override {
    const int columns = help_columns();
    std::string usage =
        "Usage: ashlar " + (app->get_parent() == nullptr ? "COMMAND" : app->get_name());
    Groups arguments, options{{"Options", {}}};  // the command's own options come first
    for (const CLI::Option* option : app->get_options({})) {
      const Described d = description_of(*option);
      if (option->get_positional()) {
        usage += option->get_required() ? " " + d.value : " [" + d.value + "]";
        group_of(arguments, "Arguments").emplace_back(d.value, d.about);
      } else if (!option->get_group().empty()) {  // not hidden
        const std::string value = option->get_default_str();
        const bool told = value.empty() || d.about.find("default") != std::string::npos;
        group_of(options, wrapped(option->get_group(), columns))
            .emplace_back(spelling(d), told ? d.about : d.about + " (default " + value + ")");
      }
    }
    std::string footer = app->get_footer();
    footer.erase(0, footer.find_first_not_of('\n'));
    return wrapped(app->get_description(), columns) + "\n\n" +
           wrapped(usage + " [options]", columns) + "\n" + sections(arguments, columns) +
           sections(commands_by_purpose(*app), columns) + sections(options, columns) +
           (footer.empty() ? "" : "\n" + wrapped(footer, columns) + "\n");
  }
};

/// "32k" -> "32000", "128Ki" -> "131072", "1e5" -> "100000"; nothing for what is no such number.
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

/// Changes words of the command line before the option reads them.
void read_as(CLI::Option& option, std::string (*change)(std::string text)) {
  option.transform(CLI::Validator(
      [change](std::string& text) {
        text = change(std::move(text));
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

void finish_usage(CLI::App& app) {
  const auto formatter = std::make_shared<HelpFormatter>();
  app.formatter(formatter);
  for (CLI::App* command : app.get_subcommands({})) {
    command->formatter(formatter);
    command->group("More");
    for (CLI::Option* option : command->get_options({})) {
      const std::string value = description_of(*option).value;
      if (value == "N" || value == "K" || value == "SEED" || value == "R")
        read_as(*option,
                [](std::string text) { return whole_number(text).value_or(std::move(text)); });
      if (value == "FORMAT") read_as(*option, lower_case);
    }
  }
  for (const Purpose& purpose : kPurposes) {
    for (const char* name : purpose.commands) app.get_subcommand(name)->group(purpose.name);
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
  for (const auto& [here, others] : kOtherWords) {
    if (std::find(others.begin(), others.end(), word) != others.end())
      return fmt::format("there is no command \"{}\"; here it is `ashlar {}`", word, here);
  }
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
  for (const CLI::Option* option : command->get_options({})) {
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
