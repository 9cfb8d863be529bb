// ashlar report: a page about a set of models.

#include "readings/report/report.h"
#include "apps/blueprints.h"
#include "apps/commands.h"
#include "apps/pictures.h"
#include "base/error.h"
#include "base/json.h"
#include "base/output_file.h"

namespace ashlar::app {
namespace {

struct ReportCommand {
  std::vector<std::string> models;
  std::string machine, output;
  ReportOptions options;
};

void run_report(ReportCommand o) {
  check_output(o.output);
  const std::string extension = std::filesystem::path(o.output).extension().string();
  const bool picture = is_picture(o.output);
  if (!picture && extension != ".html" && !extension.empty())
    fail(ErrorKind::invalid, "{}: expected a name that ends in .html, .pdf or .png", o.output);
  if (picture) check_page_tool();
  if (o.models.empty()) o.models = report_models();
  Progress progress("reading models");
  std::vector<Blueprint> blueprints;
  for (const std::string& m : o.models) {
    blueprints.push_back(load_named_blueprint(m));
    progress(static_cast<int64_t>(blueprints.size()), static_cast<int64_t>(o.models.size()));
  }
  o.options.compare.machine = machine_for(o.machine);
  const std::string page = report(blueprints, o.options);
  write_page(o.output, page);
  say_written(o.output);
}

}  // namespace

void add_report(CLI::App& app) {
  auto [command, o] =
      add_command(app, "report", run_report,
                  "one page about a set of models: diagrams, table, plots; needs no weights");
  add_value(command, "models", o.models, "MODEL...",
            "Hugging Face folders, .gguf files, blueprint files or names (default: the "
            "largest released model of each family)");
  add_value(command, "-o,--output", o.output, "F",
            "F.html: the page, without any other file; F.pdf, F.png: the same where "
            "Chromium is installed")
      ->required();
  add_value(command, "--title", o.options.title, "TEXT", "of the page");
  add_size_options(command, o.options.compare);
  add_machine_option(command, o.machine);
  command.footer(
      "Examples:\n"
      "  ashlar report -o models.html\n"
      "  ashlar report qwen3-8b llama-3.1-8b gemma-3-12b --context 32k -o three.html");
}

}  // namespace ashlar::app
