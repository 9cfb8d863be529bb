// ashlar profile: a run step by step, as text and as a trace.
#include <cstdio>

#include "apps/commands.h"
#include "apps/terminal.h"
#include "base/output_file.h"
#include "measure/bench.h"

namespace ashlar::app {
namespace {

struct ProfileCommand {
  ModelOptions model;
  BenchOptions options;
  std::string trace;
};

void run_profile(ProfileCommand o) {
  if (!o.trace.empty()) check_output(o.trace);
  const Model model = load(o.model);
  o.options.threads = o.model.threads;
  o.options.kernels = o.model.kernels;
  const EngineOptions engine = engine_options(o.model, model, 512);
  o.options.state = engine.state;
  o.options.f32_activations = engine.f32_activations;
  o.options.deterministic = engine.deterministic;
  const RunProfile profile = profile_steps(model, o.options);
  if (!o.trace.empty()) {
    write_file(o.trace, profile_trace(profile));
    say("written to " + o.trace + ": open it at ui.perfetto.dev");
  }
  std::printf("%s", profile_text(profile).c_str());
}

}  // namespace

void add_profile(CLI::App& app) {
  auto o = std::make_shared<ProfileCommand>();
  CLI::App* command =
      app.add_subcommand("profile", "run a model step by step: the time of each, and a trace");
  add_model_options(*command, o->model, true);
  const auto number = [&](const char* name, int64_t& value, const char* what) {
    command->add_option(name, value, what)->type_name("N");
  };
  number("--prompt", o->options.prompt, "tokens of the prompt (default 512)");
  number("--generate", o->options.generate, "tokens decoded (default 128)");
  number("--depth", o->options.depth, "tokens that sequences hold before either (default 0)");
  number("--sequences", o->options.sequences, "sequences decoded together (default 1)");
  command->add_option("--trace", o->trace, "file for a trace, which ui.perfetto.dev opens")
      ->type_name("F.json");
  command->callback([o] { run_profile(*o); });
}

}  // namespace ashlar::app
