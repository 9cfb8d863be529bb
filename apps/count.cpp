// ashlar count: parameters, operations, weights, state and activations of a model, without weights.
#include <cstdio>

#include "apps/blueprints.h"
#include "apps/commands.h"
#include "apps/step_options.h"
#include "apps/terminal.h"
#include "readings/count/count.h"

namespace ashlar::app {
namespace {

struct CountCommand {
  std::string model, weights;
  CountOptions options;
  bool json = false;
};

void run_count(CountCommand o) {
  const Model model = load_to_count(o.model, o.weights, o.options);
  Count c = count(model.blueprint, o.options);
  if (c.model.empty()) c.model = model.source;
  if (o.json) return print_line(count_json(c));
  print_fitted(count_text(c));
}

}  // namespace

void add_count(CLI::App& app) {
  auto [command, o] = add_command(app, "count", run_count,
                                  "parameters, operations and bytes of a model; needs no weights");
  add_blueprint_argument(command, o.model)->required();
  add_value(command, "--tokens", o.options.tokens, "N", "tokens of one step (default 512)");
  add_value(command, "--context", o.options.context, "N", "tokens remembered (default 4096)");
  add_value(command, "--sequences", o.options.sequences, "N", "decoded together (default 1)");
  add_value(command, "--weights", o.weights, "FORMAT",
            "format or mix of the weights: bf16 q8_0 q4_k_m ... (default: as in the file, "
            "bf16 for a blueprint)");
  add_state_option(command, o.options.state);
  add_mtp_option(command, o.options.mtp);
  command.add_flag("--json", o.json, "print JSON (fields: docs/json.md)");
  command.footer(
      "Examples:\n"
      "  ashlar count deepseek-v3 --context 32k\n"
      "  ashlar count model.gguf --sequences 8\n"
      "  ashlar count ./my-config --weights q4_k_m --json\n\n" +
      std::string(counting_conventions()));
}

}  // namespace ashlar::app
