// Loading blueprints and machines for readings.
#include "apps/blueprints.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "apps/flags.h"
#include "apps/terminal.h"
#include "base/error.h"

namespace ashlar::app {

Blueprint load_named_blueprint(const std::string& model) {
  LoadOptions load;
  load.need_weights = false;
  Model loaded = load_model(model, load);
  for (const std::string& notice : loaded.notices) say("note: " + with_flags(notice));
  if (loaded.blueprint.name.empty()) {
    std::error_code code;
    std::filesystem::path path(model);
    if (!path.has_filename()) path = path.parent_path();  // "folder/"
    loaded.blueprint.name =
        std::filesystem::is_directory(path, code) ? path.filename().string() : path.stem().string();
  }
  return loaded.blueprint;
}

std::optional<Machine> machine_for(const std::string& name) {
  if (name == "none") return std::nullopt;
  if (!name.empty()) return load_machine(name);
  std::error_code code;
  if (std::filesystem::is_regular_file(probed_machine_file(), code))
    return load_machine(probed_machine_file().string());
  const std::vector<std::string> library = machine_names();
  if (std::find(library.begin(), library.end(), kUsualMachine) == library.end())
    return std::nullopt;  // a program without its data
  return load_machine(kUsualMachine);
}

Format state_format(const std::string& name) {
  const auto format = format_named(name);
  if (!format) fail(ErrorKind::invalid, "--state {}: expected a format (f16, f32, bf16)", name);
  return *format;
}

}  // namespace ashlar::app
