// From options of the library to flags of the command line.
#include "apps/flags.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <string_view>

namespace ashlar::app {
namespace {

/// Options whose flag has another name.
const std::map<std::string_view, std::string_view> kOthers = {
    {"f32_activations", "activations f32"}, {"pinned", "no-pin"}, {"window", "context"}};

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  });
}

/// "--context" where the command has it; else empty.
std::string flag_of(std::string_view option, const CLI::App& command) {
  const auto other = kOthers.find(option);
  std::string flag = "--" + std::string(other == kOthers.end() ? option : other->second);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return command.get_option_no_throw(flag.substr(0, flag.find(' '))) != nullptr ? flag : "";
}

const CLI::App* program = nullptr;

}  // namespace

std::string with_flags(const std::string& message) {
  const CLI::App* command = program;
  while (command != nullptr && !command->get_subcommands().empty())
    command = command->get_subcommands()[0];
  if (command == nullptr) return message;
  std::string out;
  size_t at = 0;
  while (at < message.size()) {
    const size_t open = message.find('`', at);
    const size_t close = open == std::string::npos ? open : message.find('`', open + 1);
    if (close == std::string::npos) break;
    const std::string_view name = std::string_view(message).substr(open + 1, close - open - 1);
    const std::string flag = is_name(name) ? flag_of(name, *command) : "";
    out += message.substr(at, open - at);
    out += flag.empty() ? message.substr(open, close + 1 - open) : flag;
    at = close + 1;
  }
  return out + message.substr(at);
}

void set_program(const CLI::App& app) { program = &app; }

}  // namespace ashlar::app
