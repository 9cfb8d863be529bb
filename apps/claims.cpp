// ashlar claims: what the literature says of these architectures, settled by computation.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "apps/commands.h"
#include "apps/terminal.h"
#include "base/error.h"
#include "lab/campaign.h"
#include "lab/results.h"
#include "measure/bench.h"
#include "measure/probe.h"
#include "readings/claims/claims.h"
#include "readings/claims/claims_experiment.h"

namespace ashlar::app {
namespace {

struct ClaimsCommand {
  std::vector<std::string> ids;
  std::string output;
  bool json = false, list = false, measure = false, rerun = false;
};

/// Runs the speeds that the claims ask for on random weights, and keeps them.
void measure(const std::vector<std::string>& ids) {
  std::vector<Measurement> all = stored_measurements();
  Progress progress("measuring");
  const std::vector<Measurement> wanted = wanted_measurements(ids);
  for (size_t i = 0; i < wanted.size(); ++i) {
    Measurement m = wanted[i];
    const BenchResult r = bench(load_model(m.model, {.random = 1, .weights = m.weights}));
    m.machine = fmt::format("{}, {} threads", r.machine.name, r.threads);
    m.date = r.machine.date;
    m.threads = r.threads;
    m.prefill = r.prefill.tokens_per_second;
    m.decode = r.decode.tokens_per_second;
    std::erase_if(all, [&](const Measurement& old) {
      return old.model == m.model && old.weights == m.weights;
    });
    all.push_back(m);
    progress(static_cast<int64_t>(i) + 1, static_cast<int64_t>(wanted.size()));
  }
  const std::filesystem::path file = measurements_file();
  std::error_code code;
  std::filesystem::create_directories(file.parent_path(), code);
  write_file(file, measurements_json(all));
  say("speeds written to " + file.string());
}

/// Runs the experiments of these claims from the beginning, and keeps what they find beside their
/// files.
void rerun(const std::vector<std::string>& ids) {
  if (ids.empty())
    fail(ErrorKind::invalid, "--rerun: expected the ids of claims whose experiments run again");
  std::vector<lab::Experiment> experiments;
  for (const std::string& id : ids) {
    const std::vector<std::string> names = claim_experiments(id);
    if (names.empty())
      fail(ErrorKind::invalid, "claim {}: is settled by computing alone: nothing to run", id);
    for (const std::string& name : names) experiments.push_back(lab::find_experiment(name));
  }
  const std::filesystem::path folder = own_results_folder() / "store";
  lab::Store store(folder);
  say("runs are kept in " + folder.string());
  const lab::CampaignEnd end = lab::run_campaign(experiments, store, {.say = say});
  if (end.failed > 0)
    fail(ErrorKind::invalid, "{} runs failed, the first: {}", end.failed, end.failures[0]);
  for (const lab::Experiment& e : experiments)
    lab::write_results(lab::results_of(e, store), own_results_folder());
}

void run_claims(const ClaimsCommand& o) {
  if (!o.output.empty()) check_ending(o.output, {".html"}, "a page");
  if (o.list) {
    for (const std::string& id : claim_ids()) print_line(id);
    return;
  }
  if (o.measure) measure(o.ids);
  if (o.rerun) rerun(o.ids);
  const std::vector<Claim> claims = settle_claims(o.ids);
  if (!o.output.empty()) {
    write_file(o.output, claims_html(claims));
    say_written(o.output);
  }
  if (o.json) return print_line(claims_json(claims));
  if (o.output.empty()) print_fitted(claims_text(claims));
}

}  // namespace

void add_claims(CLI::App& app) {
  auto [command, o] =
      add_command(app, "claims", run_claims,
                  "claims about these architectures, settled by computing what they say");
  add_value(command, "id", o.ids, "ID", "claims to settle (default: all)");
  command.add_flag("--list", o.list, "list the ids");
  command.add_flag("--measure", o.measure,
                   "take measured speeds anew on this machine (some minutes)");
  command.add_flag("--rerun", o.rerun,
                   "run the experiments of these claims anew (minutes to hours; docs/lab.md)");
  add_value(command, "-o,--output", o.output, "F.html", "write a page");
  command.add_flag("--json", o.json, "print JSON (fields: docs/json.md)");
  command.footer(
      "Examples:\n"
      "  ashlar claims --list\n"
      "  ashlar claims kimi-k2-active\n\n"
      "Verdicts: holds; holds-if (with the condition); fails (with the right figure); undecided "
      "(trained, and too little to tell); open (with the experiment that would settle it). Each "
      "claim is a file claims/<id>.json: docs/claims.md.");
}

}  // namespace ashlar::app
