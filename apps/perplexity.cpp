// ashlar perplexity: of a text under a model, comparable with llama.cpp's tool.
#include "generate/perplexity.h"

#include <cstdio>

#include "apps/commands.h"
#include "base/error.h"
#include "base/json.h"
#include "generate/prompt.h"

namespace ashlar::app {
namespace {

struct PerplexityOptions {
  ModelOptions model;
  std::string file;
  bool json = false;
};

void run_perplexity(const PerplexityOptions& o) {
  const std::string text = read_file(o.file);
  const Model model = load(o.model);
  tokenizer_of(model);
  const std::vector<TokenId> ids =
      model.tokenizer->encode(text, {.add_special = true, .parse_special = false});
  const int64_t window = o.model.context > 0 ? o.model.context : 512;
  EngineOptions options = engine_options(o.model, model, window);
  options.context = window;
  Engine engine(model.graph, model.weights, options);
  // The tokenizer adds a beginning where encoding nothing gives it.
  const std::vector<TokenId> frame = model.tokenizer->encode("");
  std::optional<TokenId> bos;
  if (!frame.empty() && model.tokenizer->bos() && frame[0] == *model.tokenizer->bos())
    bos = frame[0];
  Progress progress("evaluating");
  const Perplexity result = perplexity(engine, ids, window, bos, std::ref(progress));
  progress.end();
  if (o.json) {
    print_line(Json({{"perplexity", result.perplexity},
                     {"tokens", result.tokens},
                     {"standard_error", result.standard_error},
                     {"windows", result.windows},
                     {"context", window}})
                   .dump());
  } else {
    print_line(fmt::format("perplexity {:.4f} +- {:.4f} over {} tokens ({} windows of {})",
                           result.perplexity, result.standard_error, result.tokens, result.windows,
                           window));
  }
}

}  // namespace

void add_perplexity(CLI::App& app) {
  auto [command, o] = add_command(app, "perplexity", run_perplexity,
                                  "perplexity of a text: windows of --context tokens "
                                  "(default 512), their second halves scored");
  o.model.activations = "f32";  // the weights' perplexity; with "fast" the running engine's
  add_model_options(command, o.model, true);
  add_value(command, "--file", o.file, "F", "text file (UTF-8)")->required();
  command.add_flag("--json", o.json, "print {\"perplexity\", \"tokens\", ...}");
}

}  // namespace ashlar::app
