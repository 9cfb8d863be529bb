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
    const lab::Store* store = &empty;
    std::optional<lab::Store> kept;
    if (!o.store.empty()) store = &kept.emplace(o.store);
    const lab::Prepared prepared = lab::prepare(e, empty);
    if (kept) {
      std::vector<lab::Prepared> all;
      for (const lab::Experiment& known : store->experiments())
        all.push_back(lab::prepare(known, *store));
      speed = lab::speed_of(*store, all);
    } else {
      speed = lab::speed_of(empty, {});
    }
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
  if (o.json)
    std::printf("%s\n", Json(results).dump(1, ' ', false, Json::error_handler_t::replace).c_str());
  else if (o.output.empty())
    print_text(lab::report_text(results));
}

void run_experiment(const ExperimentCommand& o) {
  const fs::path folder = o.store.empty() ? fs::path("experiments.store") : fs::path(o.store);
  lab::Store store(folder);
  const std::vector<lab::Experiment> all = experiments_of(o.files);
  // They end the campaign, with checkpoints.
  const CatchInterrupt signals(CatchInterrupt::Second::is_caught, {SIGINT, SIGTERM});
  const lab::CampaignEnd end = lab::run_campaign(all, store,
                                                 {.jobs = o.jobs,
                                                  .say =
                                                      [&](const std::string& line) {
                                                        if (!o.quiet) say(line);
                                                      },
                                                  .stop = CatchInterrupt::caught});
  if (end.stopped) {
    say("interrupted; the same command goes on from the last checkpoints");
    throw Exit{CatchInterrupt::exit_code()};
  }
  std::vector<Json> results;
  for (const lab::Experiment& e : all) results.push_back(lab::results_of(e, store));
  write_report(o, results);
  if (end.failed > 0) {
    throw Error(ErrorKind::invalid,
                fmt::format("{} runs failed, the first: {}", end.failed, end.failures[0]));
  }
}

void status(const ExperimentCommand& o) {
  if (!fs::exists(fs::path(o.store) / "lab.db"))
    fail(ErrorKind::io, "{}: is no store of experiments: it has no lab.db", o.store);
  const lab::Progress progress = lab::progress_of(lab::Store(o.store), jobs_of(o));
  if (o.json)
    std::printf("%s\n", lab::progress_json(progress).dump(1).c_str());
  else
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
    if (!fs::exists(fs::path(name) / "lab.db"))
      fail(ErrorKind::io, "{}: is no store of experiments: it has no lab.db", name);
    const lab::Store store(name);
    for (const lab::Experiment& e : store.experiments())
      results.push_back(lab::results_of(e, store));
  }
  write_report(o, results);
}

}  // namespace

void add_experiment(CLI::App& app) {
  auto o = std::make_shared<ExperimentCommand>();
  CLI::App* command = app.add_subcommand("experiment",
                                         "compare architectures by training them: equal budgets, "
                                         "own learning rates, seeds, a verdict");
  command->require_subcommand(1);
  const auto files = [&](CLI::App* c) {
    add_value(
        *c, "file", o->files, "FILE.json",
        "files of experiments, their ids, or a campaign of those that come with Ashlar: quick, "
        "default")
        ->required();
  };
  const auto jobs = [&](CLI::App* c) {
    add_value(*c, "--jobs", o->jobs, "N", "processes at once (default: one per core)")
        ->check(CLI::Range(0, 1024));
  };
  const auto pages = [&](CLI::App* c, const char* option) {
    add_value(*c, option, o->output, "F.html", "write a page");
    add_value(*c, "--results", o->results, "FOLDER", "write what was found as FOLDER/<id>.json");
    c->add_flag("--json", o->json, "print JSON (fields: docs/json.md)");
  };
  CLI::App* c = command->add_subcommand("check", "arms expanded, what they cost; nothing runs");
  files(c);
  jobs(c);
  add_value(*c, "--store", o->store, "STORE", "take the speed from runs of this store");
  c->callback([o] { check(*o); });

  c = command->add_subcommand("run", "run what is not finished yet; may be killed at any time");
  files(c);
  jobs(c);
  add_value(*c, "-o,--store", o->store, "STORE",
            "folder of runs and results (default: experiments.store)");
  c->add_flag("--quiet", o->quiet, "no line for each run");
  pages(c, "--page");
  c->callback([o] { run_experiment(*o); });

  c = command->add_subcommand("status", "what ran, what is left, time left");
  add_value(*c, "store", o->store, "STORE", "folder of `run`")->required();
  jobs(c);
  c->add_flag("--json", o->json, "print JSON (fields: docs/json.md)");
  c->callback([o] { status(*o); });

  c = command->add_subcommand("report", "verdicts, tables, curves");
  add_value(*c, "store", o->files, "STORE|FILE...", "folder of `run`, or files of results")
      ->required();
  pages(c, "-o,--output");
  c->callback([o] { report(*o); });

  c = command->add_subcommand("score", "read the held-out set with a run of a store (used by run)");
  add_value(*c, "folder", o->store, "FOLDER", "folder of the run")->required();
  c->group("");
  c->callback([o] { lab::score_run(o->store); });
}

}  // namespace ashlar::app
