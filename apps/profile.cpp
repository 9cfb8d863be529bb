// ashlar profile: a run step by step, as text and as a trace.
#include <cstdio>

#include "apps/commands.h"
#include "apps/step_options.h"
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
  take_engine_options(o.model, model, o.options);
  const RunProfile profile = profile_steps(model, o.options);
  if (!o.trace.empty()) {
    write_file(o.trace, profile_trace(profile));
    say("written to " + o.trace + ": open it at ui.perfetto.dev");
  }
  std::printf("%s", profile_text(profile).c_str());
}

}  // namespace

void add_profile(CLI::App& app) {
  auto [command, o] = add_command(app, "profile", run_profile,
                                  "run a model step by step: the time of each, and a trace");
  add_model_options(command, o.model, true);
  add_bench_sizes(command, o.options);
  add_value(command, "--trace", o.trace, "F.json", "file for a trace, which ui.perfetto.dev opens");
}

}  // namespace ashlar::app
