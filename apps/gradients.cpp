// ashlar gradients: the gradient of the loss on given token ids, for every parameter.
#include "runs/gradients.h"

#include <cstdio>

#include "apps/commands.h"
#include "base/error.h"
#include "base/json.h"
#include "base/output_file.h"
#include "base/units.h"

namespace ashlar::app {
namespace {

struct GradientsOptions {
  ModelOptions model;
  IdOptions ids;
  std::string output;
  bool recompute = false, json = false;
};

void run_gradients(const GradientsOptions& o) {
  const std::vector<TokenId> ids = read_ids(o.ids);
  check_output(o.output);
  const Model model = load(o.model);
  const auto count = static_cast<int64_t>(ids.size());
  if (model.blueprint.context > 0 && count > model.blueprint.context) {
    fail(ErrorKind::invalid, "{} token ids, but the model was made for {}", grouped(count),
         grouped(model.blueprint.context));
  }
  Progress progress("differentiating");
  const Gradients g = gradients(model, ids,
                                {.threads = usable_threads(o.model.threads),
                                 .kernels = o.model.kernels,
                                 .recompute_layers = o.recompute,
                                 .progress = std::ref(progress)});
  write_gradients(g, o.output);
  say_written(o.output);
  print_line(Json({{"loss", g.loss}}).dump());
}

}  // namespace

void add_gradients(CLI::App& app) {
  auto [command, o] = add_command(
      app, "gradients", run_gradients,
      "write the gradient of the mean next-token cross-entropy of token ids, for every parameter "
      "under its name and in its layout in the checkpoint (float32 .safetensors)");
  add_model_options(command, o.model, false);
  add_threads_option(command, o.model.threads);
  add_kernels_option(command, o.model.kernels);
  add_id_options(command, o.ids);
  add_value(command, "-o,--output", o.output, "F.safetensors", "file to write")->required();
  command.add_flag("--recompute", o.recompute,
                   "keep only what passes between layers and compute the rest twice: less memory, "
                   "the same gradients");
  command.add_flag("--json", o.json, "print {\"loss\": x} (always done)");
}

}  // namespace ashlar::app
