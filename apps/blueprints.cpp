// Loading blueprints and machines for readings.
#include "apps/blueprints.h"

#include <algorithm>
#include <filesystem>

#include "apps/commands.h"
#include "base/error.h"

namespace ashlar::app {

Blueprint load_named_blueprint(const std::string& model) {
  Model loaded = load_model(model, {.need_weights = false});
  for (const std::string& notice : loaded.notices) say_note(notice);
  if (loaded.blueprint.name.empty()) {
    std::error_code code;
    std::filesystem::path path(model);
    if (!path.has_filename()) path = path.parent_path();  // "folder/"
    loaded.blueprint.name =
        std::filesystem::is_directory(path, code) ? path.filename().string() : path.stem().string();
  }
  return loaded.blueprint;
}

CLI::Option* add_blueprint_argument(CLI::App& command, std::string& model) {
  return add_value(command, "model", model, "MODEL",
                   "Hugging Face folder (config.json will do), .gguf file, blueprint file or name");
}

void add_state_option(CLI::App& command, Format& state) {
  command
      .add_option_function<std::string>(
          "--state",
          [&state](const std::string& name) {
            const auto format = format_named(name);
            if (!format)
              fail(ErrorKind::invalid, "--state {}: expected a format (f16, f32, bf16, q8_0)",
                   name);
            state = *format;
          },
          "format of keys and values (default f16)")
      ->type_name("FORMAT");
}

void add_machine_option(CLI::App& command, std::string& machine) {
  add_value(command, "--machine", machine, "NAME",
            "whose speed is planned: a file, a name from `ashlar plan --list`, or none "
            "(default: this machine if `ashlar probe` has measured it, else h100-sxm)");
}

std::optional<Machine> probed_machine() {
  std::error_code code;
  if (!std::filesystem::is_regular_file(probed_machine_file(), code)) return std::nullopt;
  return load_machine(probed_machine_file().string());
}

std::optional<Machine> machine_for(const std::string& name) {
  if (name == "none") return std::nullopt;
  if (!name.empty()) return load_machine(name);
  if (auto probed = probed_machine()) return probed;
  constexpr const char* kDefaultMachine = "h100-sxm";
  const std::vector<std::string> library = machine_names();
  if (std::find(library.begin(), library.end(), kDefaultMachine) == library.end())
    return std::nullopt;  // a program without its data
  return load_machine(kDefaultMachine);
}

}  // namespace ashlar::app
