// Blueprints of models named on the command line, for readings that need no weights.
#pragma once

#include <optional>
#include <string>

#include "apps/commands.h"
#include "readings/predict/predict.h"

namespace ashlar::app {

/// The blueprint of MODEL, called by its file's or folder's name where it has none. Notices go to
/// stderr.
Blueprint load_named_blueprint(const std::string& model);

/// --machine: the library's, or a file's; "none": no machine; empty: this machine if `ashlar probe`
/// has measured it, otherwise kUsualMachine, so that comparisons always say speeds.
inline constexpr const char* kUsualMachine = "h100-sxm";
std::optional<Machine> machine_for(const std::string& name);

/// --state: a format of keys and values. Throws Error(invalid).
Format state_format(const std::string& name);

}  // namespace ashlar::app
