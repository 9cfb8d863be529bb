// ashlar compare: how models differ, in words, sizes, and over context and batch.
#include <cstdio>

#include "apps/blueprints.h"
#include "apps/commands.h"
#include "apps/pictures.h"
#include "apps/terminal.h"
#include "base/error.h"
#include "base/json.h"
#include "readings/compare/compare.h"
#include "readings/report/report.h"

namespace ashlar::app {
namespace {

struct CompareCommand {
  std::vector<std::string> models;
  std::string machine, output;
  CompareOptions options;
  bool json = false;
};

void run_compare(CompareCommand o) {
  std::vector<Blueprint> blueprints;
  for (const std::string& m : o.models) blueprints.push_back(load_named_blueprint(m));
  o.options.machine = machine_for(o.machine);
  const std::string extension = std::filesystem::path(o.output).extension().string();
  if (!o.output.empty() && extension != ".svg" && extension != ".csv" && extension != ".html" &&
      !is_picture(o.output)) {
    fail(ErrorKind::invalid, "{}: expected a name that ends in .html, .pdf, .svg, .png or .csv",
         o.output);
  }
  if (extension == ".png") check_drawing_tool();
  if (extension == ".pdf") check_page_tool();
  o.options.curves = o.json || !o.output.empty();
  const bool page = extension == ".html" || extension == ".pdf";
  if (page) {
    write_page(o.output, report(blueprints, {.compare = o.options, .comparison = true}));
    say_written(o.output);
    if (!o.json) return;
  }
  const Comparison c = compare(blueprints, o.options);
  if (extension == ".svg" || extension == ".png") write_drawing(o.output, comparison_svg(c));
  if (extension == ".csv") write_file(o.output, comparison_csv(c));
  if (!o.output.empty() && !page) say_written(o.output);
  if (o.json) return print_line(comparison_json(c));
  if (o.output.empty()) print_fitted(comparison_text(c));
}

}  // namespace

void add_compare(CLI::App& app) {
  auto [command, o] = add_command(app, "compare", run_compare,
                                  "how models differ, in words and numbers; needs no weights");
  add_value(command, "models", o.models, "MODEL...",
            "two or more Hugging Face folders, .gguf files, blueprint files or names")
      ->required()
      ->expected(2, 64);
  add_size_options(command, o.options);
  add_machine_option(command, o.machine);
  command.add_flag("--json", o.json, "print JSON (fields: docs/json.md), with the curves");
  add_value(command, "-o,--output", o.output, "F",
            "F.svg, F.png: curves over context and batch; F.csv: their points; F.html, F.pdf: "
            "a page with words, tables, diagrams and curves");
  command.footer(
      "\nExamples:\n"
      "  ashlar compare olmo-2-7b qwen3-8b\n"
      "  ashlar compare deepseek-v3 kimi-k2 llama-4-maverick --machine h100-sxm -o three.html");
}

}  // namespace ashlar::app
