// ashlar explain: parts of a model with formulas, numbers, cost, state, weights and sources.
#include <cstdio>

#include "apps/blueprints.h"
#include "apps/commands.h"
#include "apps/terminal.h"
#include "readings/explain/explain.h"

namespace ashlar::app {
namespace {

struct ExplainCommand {
  std::string model, scope;
  ExplainOptions options;
  bool json = false;
};

void run_explain(const ExplainCommand& o) {
  const Explanation e = explain(load_named_blueprint(o.model), o.scope, o.options);
  if (o.json) return print_line(explanation_json(e));
  print_fitted(explanation_text(e));
}

}  // namespace

void add_explain(CLI::App& app) {
  auto [command, o] =
      add_command(app, "explain", run_explain,
                  "formulas with this model's numbers, cost, state, where weights lie, sources");
  add_blueprint_argument(command, o.model)->required();
  add_value(command, "scope", o.scope, "SCOPE",
            "a part in detail: layers.3, layers.3.attn, layers.3.attn.q, embedding, logits, "
            "mtp.0 (default: the whole model, equal layers once)");
  add_size_options(command, o.options);
  command.add_flag("--json", o.json, "print JSON (fields: docs/json.md)");
  command.footer(
      "Examples:\n"
      "  ashlar explain gemma-3-1b\n"
      "  ashlar explain deepseek-v3 layers.3.attn --context 32k");
}

}  // namespace ashlar::app
