// ashlar verify: a model's self-test.
#include "verify/verify.h"

#include <fmt/format.h>

#include <cstdio>

#include "apps/commands.h"
#include "apps/terminal.h"
#include "base/json.h"

namespace ashlar::app {
namespace {

constexpr int64_t kChecks = 13;  // about, for the progress line

struct VerifyCommand {
  ModelOptions model;
  bool json = false;
};

void run_verify(const VerifyCommand& o) {
  const Model model = load(o.model);
  VerifyOptions options;
  options.threads = usable_threads(o.model.threads);
  options.kernels = o.model.kernels;
  Progress progress("verifying");
  int64_t begun = 0;
  options.progress = [&](const std::string&) { progress(begun++, kChecks); };
  const std::vector<Check> checks = verify(model, options);
  progress.end();
  size_t failed = 0, skipped = 0;
  std::string text;
  Json list = Json::array();
  for (const Check& c : checks) {
    failed += c.outcome == Check::Outcome::failed ? 1 : 0;
    skipped += c.outcome == Check::Outcome::left_out ? 1 : 0;
    const std::string outcome(to_string(c.outcome));
    if (o.json) {
      list.push_back({{"name", c.name}, {"outcome", outcome}, {"detail", c.detail}});
    } else {
      text += fmt::format("{:<8}  {:<34} {}\n", outcome, c.name, c.detail);
    }
  }
  if (o.json) {
    print_line(Json({{"passed", failed == 0}, {"checks", list}}).dump(1));
  } else {
    print_fitted(text + fmt::format("\n{} of {} checks passed{}{}\n",
                                    checks.size() - failed - skipped, checks.size(),
                                    failed > 0 ? fmt::format(", {} failed", failed) : "",
                                    skipped > 0 ? fmt::format(", {} left out", skipped) : ""));
  }
  if (failed > 0) throw Exit{4};
}

}  // namespace

void add_verify(CLI::App& app) {
  auto [command, o] = add_command(app, "verify", run_verify,
                                  "self-test of a model: stepwise = whole = batched, every "
                                  "kernel set = plain loops, counts = file, export round "
                                  "trip; exit code 4 if a check fails");
  add_model_options(command, o.model, true);
  command.add_flag("--json", o.json, "print JSON (fields: docs/json.md)");
  command.footer(
      "Examples:\n"
      "  ashlar verify model.gguf\n"
      "  ashlar verify qwen3-0.6b --random 1");
}

}  // namespace ashlar::app
