// ashlar runs: the runs below a folder, how far they are and how they do.
#include <fmt/format.h>

#include <cstdio>

#include "apps/commands.h"
#include "base/error.h"
#include "base/units.h"
#include "runs/report.h"
#include "runs/summary.h"

namespace ashlar::app {
namespace {

struct RunsOptions {
  std::vector<std::string> folders;
  std::string out;
  bool report = false, json = false;
};

std::string number(const std::optional<double>& v) { return v ? fmt::format("{:.4f}", *v) : "-"; }

void print(const std::vector<RunSummary>& runs) {
  size_t width = 6;
  for (const RunSummary& r : runs) width = std::max(width, r.folder.string().size());
  std::printf("%-*s  state     %20s  %8s  %10s  %8s  %10s  %s\n", static_cast<int>(width), "folder",
              "steps", "loss", "validation", "bits/B", "tokens/s", "model");
  for (const RunSummary& r : runs) {
    std::printf("%-*s  %-8s  %20s  %8s  %10s  %8s  %10s  %s\n", static_cast<int>(width),
                r.folder.c_str(), enum_name(r.state).c_str(),
                fmt::format("{}/{}", grouped(r.last ? r.last->step : 0), grouped(r.steps)).c_str(),
                r.last ? fmt::format("{:.4f}", r.loss).c_str() : "-",
                number(r.validation_loss).c_str(), number(r.bits_per_byte).c_str(),
                short_number(r.tokens_per_second).c_str(), r.model.c_str());
  }
}

void list_runs(const RunsOptions& o) {
  if (o.report != !o.out.empty()) fail(ErrorKind::invalid, "--report and -o FILE.html go together");
  std::vector<RunSummary> runs;
  for (const std::string& folder : o.folders) {
    for (const auto& f : runs_in(folder)) runs.push_back(summary_of(f));
  }
  if (o.report) {
    if (runs.empty()) fail(ErrorKind::invalid, "{}: holds no run (no run.json)", o.folders[0]);
    return write_file(o.out, report_of_runs(runs));
  }
  if (o.json) {
    Json all = Json::array();
    for (const RunSummary& r : runs) all.push_back(to_json(r));
    return print_line(Json{{"runs", all}}.dump());
  }
  if (runs.empty()) return print_line("no runs in " + o.folders[0]);
  print(runs);
}

}  // namespace

void add_runs(CLI::App& app) {
  auto [command, o] = add_command(
      app, "runs", list_runs,
      "runs of `ashlar train` below a folder: state, loss, speed; with --report a page with "
      "their curves");
  add_value(command, "folder", o.folders, "FOLDER", "folders of runs, or of folders of runs")
      ->required();
  command.add_flag("--report", o.report, "write the curves of all of them as one page");
  add_value(command, "-o,--out", o.out, "FILE.html", "file of the page");
  command.add_flag("--json", o.json, "print JSON (fields: docs/json.md)");
}

}  // namespace ashlar::app
