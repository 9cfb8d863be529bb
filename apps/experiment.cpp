// ashlar experiment: architectures compared by training them under equal budgets (docs/lab.md).
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "apps/commands.h"
#include "apps/interrupt.h"
#include "apps/terminal.h"
#include "base/cpus.h"
#include "base/error.h"
#include "base/temporary_folder.h"
#include "lab/campaign.h"
#include "lab/report.h"
#include "lab/results.h"
#include "lab/text.h"

namespace ashlar::app {
namespace {

namespace fs = std::filesystem;

struct ExperimentCommand {
  std::vector<std::string> files;
  std::string store, output, results;
  int jobs = 0;
  bool json = false, quiet = false;
};

int jobs_of(const ExperimentCommand& o) { return o.jobs > 0 ? o.jobs : default_threads(); }

std::vector<lab::Experiment> experiments_of(const std::vector<std::string>& names) {
  std::vector<lab::Experiment> all;
  for (const std::string& name : names) {
    const std::vector<std::string> campaign = lab::campaign_ids(name);
    for (const std::string& id : campaign) all.push_back(lab::find_experiment(id));
    if (campaign.empty()) all.push_back(lab::find_experiment(name));
  }
  return all;
}

void check(const ExperimentCommand& o) {
  std::vector<lab::Plan> plans;
  double speed = 0;
  for (const lab::Experiment& e : experiments_of(o.files)) {
    // The rows are made to see that they can be; nothing of them is kept.
    const TemporaryFolder folder;
    const lab::Store empty(folder.path());
    std::optional<lab::Store> kept;
    if (!o.store.empty()) kept.emplace(o.store);
    const lab::Store& store = kept ? *kept : empty;
    const lab::Prepared prepared = lab::prepare(e, empty);
    std::vector<lab::Prepared> all;
    for (const lab::Experiment& known : store.experiments())
      all.push_back(lab::prepare(known, store));
    speed = lab::speed_of(store, all);
    plans.push_back(lab::plan(prepared, empty));
    print_text(lab::check_text(prepared, plans.back(), speed, jobs_of(o)));
  }
  if (plans.size() > 1) print_text(lab::together_text(plans, speed, jobs_of(o)));
}

void write_report(const ExperimentCommand& o, const std::vector<Json>& results) {
  if (!o.results.empty()) {
    for (const Json& r : results) lab::write_results(r, o.results);
  }
  if (!o.output.empty()) write_file(o.output, lab::report_html(results));
  if (o.json) return print_json(results, 1);
  if (o.output.empty()) print_text(lab::report_text(results));
}

void run_experiment(const ExperimentCommand& o) {
  const fs::path folder = o.store.empty() ? fs::path("experiments.store") : fs::path(o.store);
  lab::Store store(folder);
  const std::vector<lab::Experiment> all = experiments_of(o.files);
  // They end the campaign, with checkpoints.
  const CatchInterrupt signals(CatchInterrupt::Second::is_caught, {SIGINT, SIGTERM});
  lab::CampaignOptions options{.jobs = o.jobs, .stop = CatchInterrupt::caught};
  if (!o.quiet) options.say = say;
  const lab::CampaignEnd end = lab::run_campaign(all, store, options);
  if (end.stopped) {
    say("interrupted; the same command goes on from the last checkpoints");
    throw Exit{CatchInterrupt::exit_code()};
  }
  std::vector<Json> results;
  for (const lab::Experiment& e : all) results.push_back(lab::results_of(e, store));
  write_report(o, results);
  if (end.failed > 0)
    fail(ErrorKind::invalid, "{} runs failed, the first: {}", end.failed, end.failures[0]);
}

lab::Store store_at(const std::string& folder) {
  if (!fs::exists(fs::path(folder) / "lab.db"))
    fail(ErrorKind::io, "{}: is no store of experiments: it has no lab.db", folder);
  return lab::Store(folder);
}

void status(const ExperimentCommand& o) {
  const lab::Progress progress = lab::progress_of(store_at(o.store), jobs_of(o));
  if (o.json) return print_line(Json(progress).dump(1));
  print_text(lab::progress_text(progress, jobs_of(o)));
}

/// A store's experiments, or files of results.
void report(const ExperimentCommand& o) {
  std::vector<Json> results;
  for (const std::string& name : o.files) {
    if (!fs::is_directory(name)) {
      results.push_back(read_json(name));
      if (!results.back().contains("criteria"))
        fail(ErrorKind::format, "{}: holds no results: it was not written by --results", name);
      continue;
    }
    const lab::Store store = store_at(name);
    for (const lab::Experiment& e : store.experiments())
      results.push_back(lab::results_of(e, store));
  }
  write_report(o, results);
}

void score(const ExperimentCommand& o) { lab::score_run(o.store); }

void add_files(CLI::App& command, ExperimentCommand& o) {
  add_value(command, "file", o.files, "FILE.json",
            "files of experiments, their ids, or a campaign of those that come with Ashlar: quick, "
            "default")
      ->required();
}

void add_jobs(CLI::App& command, ExperimentCommand& o) {
  add_value(command, "--jobs", o.jobs, "N", "processes at once (default: one per core)")
      ->check(CLI::Range(0, 1024));
}

void add_pages(CLI::App& command, ExperimentCommand& o, const char* option) {
  add_value(command, option, o.output, "F.html", "write a page");
  add_value(command, "--results", o.results, "FOLDER", "write what was found as FOLDER/<id>.json");
  command.add_flag("--json", o.json, "print JSON (fields: docs/json.md)");
}

}  // namespace

void add_experiment(CLI::App& app) {
  CLI::App* all = app.add_subcommand("experiment",
                                     "compare architectures by training them: equal budgets, own "
                                     "learning rates, seeds, a verdict");
  all->require_subcommand(1);
  auto [checked, c] =
      add_command(*all, "check", check, "arms expanded, what they cost; nothing runs");
  add_files(checked, c);
  add_jobs(checked, c);
  add_value(checked, "--store", c.store, "STORE", "take the speed from runs of this store");

  auto [run, r] = add_command(*all, "run", run_experiment,
                              "run what is not finished yet; may be killed at any time");
  add_files(run, r);
  add_jobs(run, r);
  add_value(run, "-o,--store", r.store, "STORE",
            "folder of runs and results (default: experiments.store)");
  run.add_flag("--quiet", r.quiet, "no line for each run");
  add_pages(run, r, "--page");

  auto [asked, s] = add_command(*all, "status", status, "what ran, what is left, time left");
  add_value(asked, "store", s.store, "STORE", "folder of `run`")->required();
  add_jobs(asked, s);
  asked.add_flag("--json", s.json, "print JSON (fields: docs/json.md)");

  auto [reported, p] = add_command(*all, "report", report, "verdicts, tables, curves");
  add_value(reported, "store", p.files, "STORE|FILE...", "folder of `run`, or files of results")
      ->required();
  add_pages(reported, p, "-o,--output");

  auto [scored, o] = add_command(*all, "score", score,
                                 "read the held-out set with a run of a store (used by run)");
  add_value(scored, "folder", o.store, "FOLDER", "folder of the run")->required();
  scored.group("");
}

}  // namespace ashlar::app
