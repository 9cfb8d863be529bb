// ashlar count: parameters, operations, weights, state and activations of a model, without weights.
#include <cstdio>

#include "apps/commands.h"
#include "apps/flags.h"
#include "apps/terminal.h"
#include "base/error.h"
#include "readings/count/count.h"

namespace ashlar::app {
namespace {

struct CountCommand {
  std::string model, weights, state = "f16";
  CountOptions options;
  bool json = false;
};

void run(CountCommand o) {
  LoadOptions load;
  load.need_weights = o.weights.empty() && has_weights(o.model);
  const Model model = load_model(o.model, load);
  if (!o.weights.empty()) {
    o.options.weights = o.weights;
  } else if (!model.weights.empty()) {
    o.options.weights = "as in the file";
    o.options.formats = formats_of(model.weights);
  }
  const auto state = format_named(o.state);
  if (!state) fail(ErrorKind::invalid, "--state {}: expected a format (f16, f32, q8_0)", o.state);
  o.options.state = *state;
  Count c = count(model.blueprint, o.options);
  if (c.model.empty()) c.model = model.source;
  for (const std::string& notice : model.notices) say("note: " + with_flags(notice));
  if (o.json)
    std::printf("%s\n", count_json(c).c_str());
  else
    print_fitted(count_text(c));
}

}  // namespace

void add_count(CLI::App& app) {
  auto o = std::make_shared<CountCommand>();
  CLI::App* command =
      app.add_subcommand("count", "parameters, operations and bytes of a model; needs no weights");
  command
      ->add_option("model", o->model,
                   "Hugging Face folder (config.json will do), .gguf file, blueprint file or name")
      ->required()
      ->type_name("MODEL");
  command->add_option("--tokens", o->options.tokens, "tokens of one step (default 512)")
      ->type_name("N");
  command->add_option("--context", o->options.context, "tokens remembered (default 4096)")
      ->type_name("N");
  command->add_option("--sequences", o->options.sequences, "decoded together (default 1)")
      ->type_name("N");
  command
      ->add_option("--weights", o->weights,
                   "format or mix of the weights: bf16 q8_0 q4_k_m ... (default: as in the file, "
                   "bf16 for a blueprint)")
      ->type_name("FORMAT");
  command->add_option("--state", o->state, "format of keys and values (default f16)")
      ->type_name("FORMAT");
  command->add_flag("--json", o->json, "print JSON (fields: docs/json.md)");
  command->footer(
      "Examples:\n"
      "  ashlar count deepseek-v3 --context 32k\n"
      "  ashlar count model.gguf --sequences 8\n"
      "  ashlar count ./my-config --weights q4_k_m --json\n\n" +
      std::string(counting_conventions()));
  command->callback([o] { run(*o); });
}

}  // namespace ashlar::app
