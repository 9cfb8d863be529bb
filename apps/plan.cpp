// ashlar plan: does a model fit a machine, how fast would it be, and what bounds it.
#include <cstdio>

#include "apps/commands.h"
#include "ashlar/predict.h"
#include "base/error.h"
#include "measure/probe.h"

namespace ashlar::app {
namespace {

struct PlanCommand {
  std::string model, machine, weights, state = "f16";
  PredictOptions options;
  bool json = false, list = false;
};

Machine machine_of(const std::string& name) {
  if (!name.empty()) return load_machine(name);
  std::error_code code;
  if (std::filesystem::is_regular_file(probed_machine_file(), code))
    return load_machine(probed_machine_file().string());
  std::fprintf(stderr,
               "note: limits measured in a hurry; `ashlar probe` measures this machine and its "
               "kernels, once\n");
  return quick_probe();
}

void list_machines() {
  for (const std::string& name : machine_names()) {
    const Machine m = load_machine(name);
    std::printf("%-18s %-8s %-10s %6.0f GB at %6.0f GB/s, %8.1f TFLOP/s in bf16\n", name.c_str(),
                m.kind.c_str(), m.source.c_str(), m.memory_bytes * 1e-9, m.bandwidth(1e30) * 1e-9,
                m.peak(Format::bf16) * 1e-12);
  }
}

void run(PlanCommand o) {
  if (o.list) return list_machines();
  if (o.model.empty()) fail(ErrorKind::invalid, "expected MODEL or --list");
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
  if (!state) fail(ErrorKind::invalid, "--state {}: expected a format (f16, f32, bf16)", o.state);
  o.options.state = *state;
  Prediction p = predict(model.blueprint, machine_of(o.machine), o.options);
  if (p.model.empty()) p.model = model.source;
  std::printf("%s\n", (o.json ? prediction_json(p) : prediction_text(p)).c_str());
}

}  // namespace

void add_plan(CLI::App& app) {
  auto o = std::make_shared<PlanCommand>();
  CLI::App* command = app.add_subcommand(
      "plan", "does a model fit a machine, how fast is it there, what bounds it; needs no weights");
  command
      ->add_option("model", o->model,
                   "Hugging Face folder (config.json will do), .gguf file, blueprint file or name")
      ->type_name("MODEL");
  command
      ->add_option("--machine", o->machine,
                   "machine file or name from --list (default: this machine, as `ashlar probe` "
                   "measured it)")
      ->type_name("FILE|NAME");
  command->add_flag("--list", o->list, "list the known machines (published figures)");
  const auto number = [&](const char* name, int64_t& value, const char* what) {
    command->add_option(name, value, what)->type_name("N");
  };
  number("--context", o->options.context, "tokens a sequence can hold (default 4096)");
  number("--sequences", o->options.sequences, "sequences decoded together (default 1)");
  number("--prompt", o->options.prompt, "tokens of the prompt (default 512)");
  number("--generate", o->options.generate, "tokens generated after it (default 128)");
  number("--depth", o->options.depth, "tokens remembered before the prompt (default 0)");
  command
      ->add_option("--weights", o->weights,
                   "format or mix of the weights: bf16 q8_0 q4_k_m ... (default: as in the file, "
                   "bf16 for a blueprint)")
      ->type_name("FORMAT");
  command->add_option("--state", o->state, "format of keys and values (default f16)")
      ->type_name("FORMAT");
  command->add_flag("--json", o->json, "print JSON (fields: docs/json.md)");
  command->callback([o] { run(*o); });
}

}  // namespace ashlar::app
