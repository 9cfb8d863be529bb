// ashlar probe: measures this machine and keeps the result for `ashlar plan` and `ashlar bench`.
#include <cstdio>
#include <filesystem>

#include "apps/commands.h"
#include "apps/terminal.h"
#include "base/error.h"
#include "base/json.h"
#include "base/output_file.h"
#include "measure/probe.h"

namespace ashlar::app {
namespace {

struct ProbeCommand {
  ProbeOptions options;
  std::string output;
  bool json = false, quick = false;
};

void run_probe(ProbeCommand o) {
  // A quick probe lacks the kernels, so it never takes the place of a whole one.
  const bool keep = !o.output.empty() || !o.quick;
  const std::filesystem::path file =
      o.output.empty() ? probed_machine_file() : std::filesystem::path(o.output);
  if (keep) {
    std::error_code code;
    if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path(), code);
    if (code) fail(ErrorKind::io, "{}: {}", file.parent_path().string(), code.message());
    check_output(file);
  }
  Progress progress("probing");
  o.options.progress = [&](double done) { progress(static_cast<int64_t>(done * 1000), 1000); };
  const Machine machine = o.quick ? quick_probe(o.options.threads) : probe(o.options);
  progress.end();
  const std::string json = machine_json(machine);
  if (keep) {
    write_file(file, json);
    say_written(file);
  }
  if (o.json)
    std::printf("%s", json.c_str());
  else
    print_fitted(probe_text(machine));
}

}  // namespace

void add_probe(CLI::App& app) {
  auto [command, o] =
      add_command(app, "probe", run_probe,
                  "measure this machine's memory, arithmetic and kernels, in under a minute");
  add_threads_option(command, o.options.threads);
  add_kernels_option(command, o.options.kernels);
  add_value(command, "-o,--output", o.output, "F.json",
            "file to write (default: machine.json in the user's cache folder)");
  command.add_flag("--quick", o.quick, "memory and arithmetic only, in half a second");
  command.add_flag("--json", o.json, "print JSON (fields: docs/json.md)");
}

}  // namespace ashlar::app
