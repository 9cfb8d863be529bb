// The checks of `ashlar verify`.
#include "verify/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/error.h"
#include "base/temporary_folder.h"
#include "kernels/table.h"
#include "model/convert.h"
#include "readings/count/count.h"
#include "run/reference.h"

namespace ashlar {
namespace {

using Rows = std::vector<float>;

/// How far an evaluation with float32 activations may be from another.
constexpr double kExactBound = 1e-4;

/// How far one with fast activations may be from the exact one. Float32 weights are multiplied in
/// float32; bf16 and f16 ones may meet activations in bf16. Quantised ones meet activations in int8
/// blocks (but not in the generic table), which on small models moves logits by 3 to 4 % of the
/// largest: SmolLM2-135M as Q4_1, Gemma 3 270M as Q4_K_M.
double bound_of(const Model& model, std::string_view kernels) {
  double bound = kExactBound;
  for (const auto& [name, tensor] : model.weights) {
    if (tensor.format == Format::f32) continue;
    const bool exact = info(tensor.format).exact;
    bound = std::max(bound, kernels == "generic" ? 2e-3 : exact ? 2e-2 : 1e-1);
  }
  return bound;
}

constexpr std::string_view kText =
    "An ashlar is a stone cut so exactly that it needs no mortar. Masons of many countries have "
    "used it: the walls of "
    "Cuzco, the temples of Greece and the quays of Lisbon are built of it. def area(w, h): return "
    "w * h  # 12345\n";

/// Text where there is a tokenizer (random ids are far from what models know, and small differences
/// of rounding then grow), else ids all over the vocabulary.
std::vector<TokenId> sample_ids(const Model& model, int64_t count, uint32_t seed = 1) {
  std::vector<TokenId> ids, text;
  const int64_t vocab = model.blueprint.embedding.vocab;
  if (model.tokenizer) text = model.tokenizer->encode(kText);
  std::erase_if(text, [&](TokenId id) { return id >= vocab; });
  uint64_t state = seed * 0x9E3779B97F4A7C15ULL;
  for (int64_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    ids.push_back(text.empty() ? static_cast<TokenId>((state >> 33) % static_cast<uint64_t>(vocab))
                               : text[(static_cast<size_t>(i) + seed - 1) % text.size()]);
  }
  return ids;
}

int64_t sample_length(const Blueprint& b) {
  int64_t length = 40;
  for (const Block& block : b.blocks) {
    if (const auto* a = std::get_if<AttentionPart>(&block.mixer)) {
      for (const int64_t edge : {a->window, a->chunk}) {
        if (edge > 0 && edge <= 256) length = std::max(length, edge + 3);
      }
    }
  }
  if (b.embedding.positions > 0) length = std::min(length, b.embedding.positions);
  return length;
}

EngineOptions engine_options(const VerifyOptions& o, const std::string& kernels, int64_t context,
                             int64_t sequences, bool exact = true) {
  EngineOptions options;
  options.threads = o.threads;
  options.kernels = kernels;
  options.context = context;
  options.sequences = sequences;
  options.f32_activations = exact;
  return options;
}

/// Logits of all ids, `chunk` of them per step.
Rows in_chunks(Engine& engine, const std::vector<TokenId>& ids, size_t chunk) {
  Rows rows;
  const SequenceId s = engine.open().value();
  for (size_t at = 0; at < ids.size(); at += chunk) {
    const Run run{s, std::span(ids).subspan(at, std::min(chunk, ids.size() - at)),
                  Run::Logits::all};
    const auto logits = engine.step({&run, 1});
    rows.insert(rows.end(), logits.begin(), logits.end());
  }
  engine.close(s);
  return rows;
}

/// Logits of ids while two other sequences are evaluated in the same steps.
Rows among_strangers(Engine& engine, const Model& model, const std::vector<TokenId>& ids) {
  Rows rows;
  const auto before = sample_ids(model, 7, 2), after = sample_ids(model, 5, 3);
  const SequenceId a = engine.open().value(), s = engine.open().value(), b = engine.open().value();
  const size_t half = ids.size() / 2;
  for (size_t part = 0; part < 2; ++part) {
    const auto mine = part == 0 ? std::span(ids).first(half) : std::span(ids).subspan(half);
    const Run runs[] = {
        {a, before, Run::Logits::last}, {s, mine, Run::Logits::all}, {b, after, Run::Logits::none}};
    const auto logits = engine.step(runs).subspan(static_cast<size_t>(engine.vocab()));
    rows.insert(rows.end(), logits.begin(), logits.end());
  }
  for (const SequenceId id : {a, s, b}) engine.close(id);
  return rows;
}

Check::Outcome outcome(bool passed) {
  return passed ? Check::Outcome::passed : Check::Outcome::failed;
}

Check compared(std::string name, const Rows& reference, const Rows& other, double bound,
               const std::string& what) {
  double worst = 0, largest = 0;
  for (const float v : reference) largest = std::max(largest, std::abs(static_cast<double>(v)));
  bool finite = reference.size() == other.size() && largest > 0;
  for (size_t i = 0; i < std::min(reference.size(), other.size()); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(reference[i]) - other[i]));
    finite = finite && std::isfinite(reference[i]) && std::isfinite(other[i]);
  }
  const double relative = largest > 0 ? worst / largest : 0;
  return {std::move(name), outcome(finite && relative <= bound),
          fmt::format("{}: largest difference {:.2g} of the largest logit, bound {:.0e}{}", what,
                      relative, bound, finite ? "" : " (not finite, or of another size)")};
}

Check counted(const Model& model) {
  const Count c = count(model.blueprint);
  int64_t in_file = 0;
  for (const auto& [name, tensor] : model.weights) {
    if (!name.starts_with("mtp.")) in_file += tensor.elements();
  }
  return {"parameters counted = in the file", outcome(c.parameters.total == in_file),
          fmt::format("{} counted, {} loaded", c.parameters.total, in_file)};
}

Check planned(const Model& model, const Engine& engine, int64_t context) {
  CountOptions options;
  options.context = context;
  options.state = engine.state_format();
  options.tokens = std::min<int64_t>(context, EngineOptions{}.chunk);
  const int64_t bytes = count(model.blueprint, options).state.allocated_bytes;
  return {"state planned = allocated", outcome(bytes == engine.state_bytes()),
          fmt::format("{} bytes planned, {} allocated for {} tokens", bytes, engine.state_bytes(),
                      context)};
}

/// The first value in which the blocks differ by more than GGUF's float32 rounds; empty: none.
std::string first_difference(const Blueprint& a, const Blueprint& b) {
  for (const Difference& d : diff(a, b)) {
    if (!d.path.starts_with("blocks")) continue;
    if (!rounded_alike(d, 1e-6)) return fmt::format("; {} was {} and is {}", d.path, d.a, d.b);
  }
  return "";
}

/// The excerpt written and read back: equal logits, and equal tensors where the format holds the
/// numbers.
Check round_trip(const Model& part, const std::string& to, const std::vector<TokenId>& ids,
                 const VerifyOptions& o) {
  const TemporaryFolder folder;
  const std::filesystem::path out = folder.path() / (to == "gguf" ? "model.gguf" : "model");
  ConvertOptions convert;
  convert.to = to;
  convert.weights = "f32";
  convert_model(part, out, convert);
  const Model back = load_model(out.string());
  int64_t different = 0;
  for (const auto& [name, tensor] : part.weights) {
    const auto it = back.weights.find(name);
    if (it == back.weights.end() || to_f32(it->second) != to_f32(tensor)) ++different;
  }
  Model exact = excerpt(part, part.blueprint.blocks.size());
  for (auto& [name, tensor] : exact.weights) tensor = ashlar::convert(tensor, Format::f32);
  const auto context = static_cast<int64_t>(ids.size());
  Engine a(exact.graph, exact.weights, engine_options(o, "", context, 1));
  Engine b(back.graph, back.weights, engine_options(o, "", context, 1));
  const std::string changed = first_difference(part.blueprint, back.blueprint);
  Check check =
      compared("export to " + to + " and back", in_chunks(a, ids, ids.size()),
               in_chunks(b, ids, ids.size()), 1e-6,
               fmt::format("{} blocks as f32, {} of {} tensors differ{}",
                           part.blueprint.blocks.size(), different, part.weights.size(), changed));
  if (different > 0 || !changed.empty()) check.outcome = Check::Outcome::failed;
  return check;
}

}  // namespace

std::string_view to_string(Check::Outcome outcome) {
  switch (outcome) {
    case Check::Outcome::passed:
      return "ok";
    case Check::Outcome::failed:
      return "FAILED";
    case Check::Outcome::left_out:
      return "left out";
  }
  return "";
}

std::vector<Check> verify(const Model& model, const VerifyOptions& o) {
  std::vector<Check> checks;
  const auto run = [&](const std::string& name, auto check) {
    if (o.progress) o.progress(name);
    try {
      checks.push_back(check());
    } catch (const Error& e) {
      checks.push_back({name, Check::Outcome::failed, e.what()});
    }
  };
  const auto ids = sample_ids(model, sample_length(model.blueprint));
  const auto length = static_cast<int64_t>(ids.size());

  run("parameters counted = in the file", [&] { return counted(model); });
  {
    Engine engine(model.graph, model.weights, engine_options(o, o.kernels, length + 24, 3));
    // Exactly: by its number of tokens a step rounds fast activations otherwise, and where routers
    // are torn, experts change with them.
    const Rows whole = in_chunks(engine, ids, ids.size());
    const auto as_whole = [&](const std::string& name, const std::string& how, auto rows) {
      run(name, [&] { return compared(name, whole, rows(), kExactBound, how); });
    };
    as_whole("token by token = whole", fmt::format("{} tokens", length),
             [&] { return in_chunks(engine, ids, 1); });
    as_whole("in chunks = whole", "chunks of 7", [&] { return in_chunks(engine, ids, 7); });
    as_whole("batched = alone", "with two other sequences",
             [&] { return among_strangers(engine, model, ids); });
  }
  run("state planned = allocated", [&] {
    const int64_t context =
        model.blueprint.context > 0 ? std::min<int64_t>(model.blueprint.context, 2048) : 2048;
    const Engine engine(model.graph, model.weights,
                        engine_options(o, o.kernels, context, 1, false));
    return planned(model, engine, context);
  });

  const Model part = excerpt(model, 4);
  std::vector<TokenId> few(ids.begin(), ids.begin() + std::min<int64_t>(length, 6));
  int64_t elements = 0;
  for (const auto& [name, tensor] : part.weights) elements += tensor.elements();
  constexpr int64_t kMostElements = int64_t{2'000'000'000};  // 8 GB as float32
  if (elements > kMostElements) {
    const std::string why =
        fmt::format("{} parameters in one block of each kind are too many for it", elements);
    checks.push_back({"kernel tables = plain loops", Check::Outcome::left_out, why});
    checks.push_back({"export and back", Check::Outcome::left_out, why});
    return checks;
  }
  if (o.progress) o.progress("plain loops");
  const Rows reference = reference_logits(part.graph, part.weights, few);
  for (const kernels::Table* table : kernels::tables()) {
    const std::string name(table->name);
    if (!table->supported() || (!o.kernels.empty() && o.kernels != name)) continue;
    for (const bool exact : {true, false}) {
      const double bound = exact ? kExactBound : bound_of(model, name);
      if (!exact && bound == kExactBound) continue;  // all weights are float32: nothing is rounded
      const std::string check =
          name + (exact ? " kernels = plain loops" : " kernels, fast = plain loops");
      run(check, [&] {
        Engine engine(part.graph, part.weights,
                      engine_options(o, name, static_cast<int64_t>(few.size()), 1, exact));
        return compared(
            check, reference, in_chunks(engine, few, few.size()), bound,
            fmt::format("{} blocks, {} tokens", part.blueprint.blocks.size(), few.size()));
      });
    }
  }
  for (const char* to : {"safetensors", "gguf"}) {
    run(std::string("export to ") + to + " and back", [&] { return round_trip(part, to, few, o); });
  }
  return checks;
}

}  // namespace ashlar
