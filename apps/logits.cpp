// ashlar logits: float32 logits of given token ids, as a NumPy file.
#include <algorithm>

#include "apps/commands.h"
#include "base/error.h"
#include "base/units.h"
#include "formats/npy.h"
#include "run/finite.h"

namespace ashlar::app {
namespace {

struct LogitsOptions {
  ModelOptions model;
  IdOptions ids;
  std::string output;
  int64_t chunk = 0;
};

void logits(const LogitsOptions& o) {
  const std::vector<TokenId> ids = read_ids(o.ids);
  const auto count = static_cast<int64_t>(ids.size());
  if (count == 0) fail(ErrorKind::invalid, "the list of token ids is empty");
  const Model model = load(o.model);
  if (model.blueprint.context > 0 && count > model.blueprint.context && o.model.context == 0) {
    fail(ErrorKind::invalid,
         "{} token ids, but the model was made for {}: fewer, or --context {} to try all the same",
         grouped(count), grouped(model.blueprint.context), count);
  }
  EngineOptions options = engine_options(o.model, model, count);
  options.context = std::max(options.context, count);
  const int64_t chunk = o.chunk > 0 ? o.chunk : std::min<int64_t>(count, 512);
  options.chunk = std::min(chunk, count);
  Engine engine(model.graph, model.weights, options);
  const SequenceId sequence = engine.open().value();
  NpyWriter out(o.output, count, engine.vocab());
  Progress progress("evaluating");
  bool finite = true;
  for (int64_t at = 0; at < count; at += chunk) {
    const auto n = static_cast<size_t>(std::min(chunk, count - at));
    const ashlar::Run run{sequence,
                          std::span<const TokenId>(ids).subspan(static_cast<size_t>(at), n),
                          ashlar::Run::Logits::all};
    const std::span<const float> rows = engine.step({&run, 1});
    finite = finite && all_finite(rows);
    out.add(rows);
    progress(at + static_cast<int64_t>(n), count);
  }
  out.commit();
  if (finite) return say_written(o.output);
  engine.close(sequence);
  fail_not_finite(engine, ids);
}

}  // namespace

void add_logits(CLI::App& app) {
  auto [command, o] = add_command(
      app, "logits", logits, "write the logits of token ids as float32 [tokens, vocab] (.npy)");
  o.model.activations = "f32";  // who asks for numbers wants the model's, not the kernels'
  add_model_options(command, o.model, true);
  add_id_options(command, o.ids);
  add_value(command, "-o,--output", o.output, "F.npy", "file to write")->required();
  add_value(command, "--chunk", o.chunk, "N",
            "evaluate N tokens at a time through the state (default: 512)")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20));
  command.footer(
      "Examples:\n"
      "  ashlar logits model.gguf --ids 1,2,3 -o logits.npy\n"
      "  ashlar logits ./Qwen3-0.6B --ids-file ids.json --threads 4 -o logits.npy");
}

}  // namespace ashlar::app
