// ashlar explain: parts of a model with formulas, numbers, cost, state, weights and sources.
#include <cstdio>

#include "apps/blueprints.h"
#include "apps/commands.h"
#include "apps/terminal.h"
#include "readings/explain/explain.h"

namespace ashlar::app {
namespace {

struct ExplainCommand {
  std::string model, scope, state = "f16";
  ExplainOptions options;
  bool json = false;
};

void run(ExplainCommand o) {
  o.options.state = state_format(o.state);
  const Explanation e = explain(load_named_blueprint(o.model), o.scope, o.options);
  if (o.json)
    std::printf("%s\n", explanation_json(e).c_str());
  else
    print_fitted(explanation_text(e));
}

}  // namespace

void add_explain(CLI::App& app) {
  auto o = std::make_shared<ExplainCommand>();
  CLI::App* command = app.add_subcommand(
      "explain", "formulas with this model's numbers, cost, state, where weights lie, sources");
  command
      ->add_option("model", o->model,
                   "Hugging Face folder (config.json will do), .gguf file, blueprint file or name")
      ->required()
      ->type_name("MODEL");
  command
      ->add_option("scope", o->scope,
                   "a part in detail: layers.3, layers.3.attn, layers.3.attn.q, embedding, logits, "
                   "mtp.0 (default: the whole model, equal layers once)")
      ->type_name("SCOPE");
  command->add_option("--context", o->options.context, "tokens remembered (default 4096)")
      ->type_name("N");
  command
      ->add_option("--weights", o->options.weights, "format or mix of the weights (default bf16)")
      ->type_name("FORMAT");
  command->add_option("--state", o->state, "format of keys and values (default f16)")
      ->type_name("FORMAT");
  command->add_flag("--json", o->json, "print JSON (fields: docs/json.md)");
  command->footer(
      "Examples:\n"
      "  ashlar explain gemma-3-1b\n"
      "  ashlar explain deepseek-v3 layers.3.attn --context 32k");
  command->callback([o] { run(*o); });
}

}  // namespace ashlar::app
