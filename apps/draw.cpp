// ashlar draw: the architecture of models as a diagram.
#include <cstdio>

#include "apps/blueprints.h"
#include "apps/commands.h"
#include "apps/pictures.h"
#include "apps/step_options.h"
#include "apps/terminal.h"
#include "base/error.h"
#include "base/json.h"
#include "readings/draw/draw.h"
#include "readings/draw/draw_graph.h"
#include "transform/differentiate.h"

namespace ashlar::app {
namespace {

struct DrawCommand {
  std::vector<std::string> models;
  std::string output;
  DrawOptions options{.format = DrawFormat::text};
  int columns = 0;  // 0: those of the terminal
  bool graph = false, gradient = false, recompute = false, mtp = false;
};

std::string drawn_graph(const DrawCommand& o, const std::vector<Blueprint>& blueprints) {
  if (blueprints.size() != 1)
    fail(ErrorKind::invalid, "--graph and --gradient: expected one model, found {}",
         blueprints.size());
  const Graph graph = trained_graph(blueprints[0], o.mtp);
  if (!o.gradient) return draw_graph(graph, o.options);
  return draw_graph(
      differentiate(graph, {.recompute_layers = o.recompute, .losses = {.mtp = o.mtp ? 1.0 : 0.0}}),
      o.options);
}

void run_draw(DrawCommand o) {
  if (o.columns > 0)
    o.options.columns = o.columns;
  else if (const int width = columns(stdout); o.output.empty() && width > 0)
    o.options.columns = width;
  const bool picture = is_picture(o.output);
  if (!o.output.empty())  // before any work
    o.options.format = picture ? DrawFormat::svg : draw_format_of(o.output);
  std::vector<Blueprint> blueprints;
  for (const std::string& m : o.models) blueprints.push_back(load_named_blueprint(m));
  if (picture) check_drawing_tool();
  const bool nodes = o.graph || o.gradient;
  const std::string text = nodes ? drawn_graph(o, blueprints) : draw(blueprints, o.options);
  if (o.output.empty()) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    return;
  }
  write_drawing(o.output, text);
  say_written(o.output);
}

}  // namespace

void add_draw(CLI::App& app) {
  auto [command, o] =
      add_command(app, "draw", run_draw,
                  "the architecture of one model, or of several side by side, as a diagram");
  add_value(command, "models", o.models, "MODEL...",
            "Hugging Face folders, .gguf files, blueprint files or names of released models")
      ->required();
  add_value(command, "-o,--output", o.output, "F",
            "F.svg (for a browser, light and dark), F.png, F.pdf (where rsvg-convert is "
            "installed), F.mmd (Mermaid) or F.txt; without it, text for the terminal");
  command.add_flag("--tall", o.options.tall, "SVG: details below the layers, for narrow pages");
  add_value(command, "--columns", o.columns, "N",
            "text: columns (default: the terminal's, else 100)")
      ->check(CLI::Range(20, 10000));
  command.add_flag("--graph", o.graph,
                   "the nodes of one model's graph; layers that are alike once");
  command.add_flag(
      "--gradient", o.gradient,
      "the nodes of a step of training: forward pass, backward pass, and what is kept for it");
  command
      .add_flag("--recompute", o.recompute,
                "with --gradient: each layer is computed again from its input")
      ->needs("--gradient");
  add_mtp_option(command, o.mtp, "--gradient");
  command.footer(
      "Equal layers are drawn once, with how many there are; where layers differ, each way stands\n"
      "with the layers that have it, and SVG shows which layer has which. With several models, "
      "what\n"
      "is not the same in all of them is marked in SVG.\n\n"
      "Examples:\n"
      "  ashlar draw gemma-3-27b -o gemma.svg\n"
      "  ashlar draw olmo-2-7b qwen3-8b -o two.svg\n"
      "  ashlar draw qwen3-0.6b --gradient -o step.svg");
}

}  // namespace ashlar::app
