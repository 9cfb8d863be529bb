// ashlar verify: a model's self-test.
#include "verify/verify.h"

#include <cstdio>

#include "apps/commands.h"
#include "base/json.h"

namespace ashlar::app {
namespace {

constexpr int64_t kChecks = 13;  // about, for the progress line

struct VerifyCommand {
  ModelOptions model;
  bool json = false;
};

void run(const VerifyCommand& o) {
  const Model model = load(o.model);
  VerifyOptions options;
  options.threads = o.model.threads;
  options.kernels = o.model.kernels;
  Progress progress("verifying");
  int64_t begun = 0;
  options.progress = [&](const std::string&) { progress.update(begun++, kChecks); };
  const std::vector<Check> checks = verify(model, options);
  bool passed = true;
  Json list = Json::array();
  for (const Check& c : checks) {
    passed = passed && c.outcome != Check::Outcome::failed;
    const std::string outcome(to_string(c.outcome));
    if (o.json) {
      list.push_back({{"name", c.name}, {"outcome", outcome}, {"detail", c.detail}});
    } else {
      std::printf("%-8s  %-34s %s\n", outcome.c_str(), c.name.c_str(), c.detail.c_str());
    }
  }
  if (o.json) std::printf("%s\n", Json({{"passed", passed}, {"checks", list}}).dump(1).c_str());
  if (!passed) throw Exit{4};
}

}  // namespace

void add_verify(CLI::App& app) {
  auto o = std::make_shared<VerifyCommand>();
  CLI::App* command = app.add_subcommand("verify",
                                         "self-test of a model: stepwise = whole = batched, every "
                                         "kernel set = plain loops, counts = file, export round "
                                         "trip; exit code 4 if a check fails");
  add_model_options(*command, o->model, true);
  command->add_flag("--json", o->json, "print JSON (fields: docs/json.md)");
  command->callback([o] { run(*o); });
}

}  // namespace ashlar::app
