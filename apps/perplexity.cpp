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
  auto progress = std::make_unique<Progress>("evaluating");
  const Perplexity result = perplexity(engine, ids, window, bos, [&](int64_t done, int64_t total) {
    progress->update(done, total);
  });
  progress.reset();
  if (o.json) {
    std::printf("%s\n", Json({{"perplexity", result.perplexity},
                              {"tokens", result.tokens},
                              {"standard_error", result.standard_error},
                              {"windows", result.windows},
                              {"context", window}})
                            .dump()
                            .c_str());
  } else {
    std::printf("perplexity %.4f +- %.4f over %lld tokens (%lld windows of %lld)\n",
                result.perplexity, result.standard_error, static_cast<long long>(result.tokens),
                static_cast<long long>(result.windows), static_cast<long long>(window));
  }
}

}  // namespace

void add_perplexity(CLI::App& app) {
  auto o = std::make_shared<PerplexityOptions>();
  o->model.activations = "f32";  // the weights' perplexity; with "fast" the running engine's
  CLI::App* command = app.add_subcommand("perplexity",
                                         "perplexity of a text: windows of --context tokens "
                                         "(default 512), their second halves scored");
  add_model_options(*command, o->model, true);
  add_value(*command, "--file", o->file, "F", "text file (UTF-8)")->required();
  command->add_flag("--json", o->json, "print {\"perplexity\", \"tokens\", ...}");
  command->callback([o] { run_perplexity(*o); });
}

}  // namespace ashlar::app
