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
/// has measured it, otherwise h100-sxm, so that comparisons always say speeds.
std::optional<Machine> machine_for(const std::string& name);

/// What `ashlar probe` has measured; nothing before it has.
std::optional<Machine> probed_machine();

/// MODEL of a reading.
CLI::Option* add_blueprint_argument(CLI::App& command, std::string& model);
/// --state; another name than a format's is Error(invalid).
void add_state_option(CLI::App& command, Format& state);
/// --machine, for machine_for().
void add_machine_option(CLI::App& command, std::string& machine);
/// --context, --weights and --state of CompareOptions or ExplainOptions.
template <class Options>
void add_size_options(CLI::App& command, Options& options) {
  add_value(command, "--context", options.context, "N", "tokens remembered (default 4096)");
  add_value(command, "--weights", options.weights, "FORMAT",
            "format or mix of the weights (default bf16)");
  add_state_option(command, options.state);
}

/// A model whose weights count as `weights` names them; empty: as they lie in its file, or as
/// `options` (CountOptions, PredictOptions) say. Notices go to stderr.
template <class Options>
Model load_to_count(const std::string& name, const std::string& weights, Options& options) {
  Model model = load_model(name, {.need_weights = weights.empty() && has_weights(name)});
  for (const std::string& notice : model.notices) say_note(notice);
  if (!weights.empty()) {
    options.weights = weights;
  } else if (!model.weights.empty()) {
    options.weights = "as in the file";
    options.formats = formats_of(model.weights);
  }
  return model;
}

}  // namespace ashlar::app
