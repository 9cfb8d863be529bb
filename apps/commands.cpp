// What the commands share.
#include "apps/commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <sstream>

#include "apps/flags.h"
#include "apps/terminal.h"
#include "base/cpus.h"
#include "base/error.h"
#include "base/json.h"
#include "base/units.h"
#include "hub/cache.h"
#include "model/folder_kind.h"
#include "model/memory.h"
#include "readings/count/count.h"
#include "run/state_format.h"

namespace ashlar::app {

void add_threads_option(CLI::App& command, int& threads) {
  add_value(command, "--threads", threads, "N", "threads (default: one per core)")
      ->check(CLI::Range(0, 4096));
}

void add_kernels_option(CLI::App& command, std::string& kernels) {
  add_value(command, "--kernels", kernels, "NAME",
            "instruction set: generic avx2 avx512 ... (default: $ASHLAR_KERNELS, or the best "
            "this CPU runs)");
}

void add_model_options(CLI::App& command, ModelOptions& options, bool runs) {
  add_value(command, "model", options.model, "MODEL",
            "Hugging Face folder, .gguf file, blueprint file (.json), name of a released model, or "
            "org/name of the Hugging Face hub (fetched if it is not in the cache)")
      ->required();
  add_value(command, "--random", options.random, "SEED",
            "random weights for a blueprint, from this seed");
  add_value(
      command, "--weights", options.weights, "FORMAT",
      "format of random weights: f32 bf16 f16 q8_0 q4_0 q4_k_m q5_k_m q6_k ... (default f32)");
  add_value(command, "--adapter", options.adapter, "DIR",
            "folder of a LoRA adapter (PEFT) that is added to the model's weights");
  if (!runs) return;
  add_threads_option(command, options.threads);
  command.add_flag("--deterministic", options.deterministic,
                   "a token's logits depend neither on what is evaluated with it nor on how a text "
                   "is cut into steps, to the bit; long prompts take longer");
  command.add_flag("--packed-weights", options.packed_weights,
                   "keep matrices in the kernels' panels too: several sequences together and short "
                   "prompts are faster, for the memory of a second copy");
  command.add_flag("--no-pin", options.no_pin, "let the system move threads between CPUs");
  add_kernels_option(command, options.kernels);
  add_value(command, "--context", options.context, "N", "tokens a sequence can hold")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 32));
  add_value(command, "--state", options.state, "FORMAT",
            "format of keys and values: f32 f16 bf16 q8_0");
  command
      .add_option("--activations", options.activations,
                  "what products with stored weights take: fast (int8 or bf16 where this CPU gains "
                  "by it) or f32 (rounds nothing but sums; also the default for --state)")
      ->capture_default_str()
      ->check(CLI::IsMember({"fast", "f32"}));
}

Model load(const ModelOptions& options, bool need_weights) {
  Progress progress("loading");
  Model model = load_model(options.model, {.random = options.random,
                                           .weights = options.weights,
                                           .adapter = options.adapter,
                                           .progress = std::ref(progress),
                                           .fetching = fetch_progress(),
                                           .need_weights = need_weights});
  for (const std::string& notice : model.notices) say_note(notice);
  return model;
}

bool has_weights(const std::string& name) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const bool of_hub = is_repository_name(name) && !fs::exists(name, ignored);
  const std::string model = of_hub ? repository_folder(name).string() : name;
  if (!fs::is_directory(model, ignored))
    return model.ends_with(".gguf") || model.ends_with(".safetensors");
  const fs::path folder = snapshot_of(model);
  bool found = false;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    found = found || entry.path().extension() == ".safetensors";
  if (!found || !fs::exists(folder / "config.json", ignored)) return found;
  // Weights that cannot be read say nothing; the config alone does.
  return unread_weights(folder, read_json(folder / "config.json")).empty() &&
         !has_placeholders(folder);
}

namespace {

/// Which table of LongRoPE a context chooses; nothing where there is none.
void say_table(const Blueprint& blueprint, int64_t context) {
  for (const Block& block : blueprint.blocks) {
    const auto* a = std::get_if<AttentionPart>(&block.mixer);
    if (a == nullptr || !a->rope || a->rope->scaling != RotationScaling::longrope) continue;
    const int64_t original = a->rope->original_context;
    if (a->rope->ignores_long) {
      if (context > original) {
        say_note(
            fmt::format("beyond {} tokens this model rotates by LongRoPE's short table as well, as "
                        "Transformers runs it",
                        original));
      }
      return;
    }
    say_note(fmt::format(
        "a context of {} tokens rotates by LongRoPE's table for contexts {} {}; --context chooses",
        context, context > original ? "beyond" : "up to", original));
    return;
  }
}

}  // namespace

EngineOptions engine_options(const ModelOptions& options, const Model& model, int64_t fallback) {
  EngineOptions engine;
  engine.threads = usable_threads(options.threads);
  engine.pinned = !options.no_pin;
  engine.deterministic = options.deterministic;
  engine.packed_weights = options.packed_weights;
  engine.kernels = options.kernels;
  engine.f32_activations = options.activations == "f32";
  const int64_t made_for = model.blueprint.context;
  engine.context = options.context > 0 ? options.context
                   : made_for > 0      ? std::min(made_for, fallback)
                                       : fallback;
  if (made_for > 0 && engine.context > made_for && options.context > 0) {
    say_note(fmt::format("a context of {} tokens is beyond the {} that the model was made for",
                         grouped(engine.context), grouped(made_for)));
  }
  say_table(model.blueprint, engine.context);
  if (!options.state.empty()) {
    const auto format = format_named(options.state);
    if (!format || !is_state_format(*format)) {
      fail(ErrorKind::invalid, "--state: expected f32, f16, bf16 or q8_0, found \"{}\"",
           options.state);
    }
    engine.state = format;
  }
  return engine;
}

int usable_threads(int wanted) {
  const auto cpus = static_cast<int>(usable_cpus().ids.size());
  if (cpus == 0 || wanted <= cpus) return wanted;
  say_note(fmt::format("--threads {}: this process may use {} CPUs, so {} threads are taken",
                       wanted, cpus, cpus));
  return cpus;
}

int64_t roomy_context(const ModelOptions& options, const Model& model) {
  constexpr int64_t kUnknown = 4096, kLeast = 2048;
  int64_t context = model.blueprint.context > 0 ? model.blueprint.context : kUnknown;
  for (const Block& block : model.blueprint.blocks) {
    const auto* a = std::get_if<AttentionPart>(&block.mixer);
    if (a != nullptr && a->rope && a->rope->scaling == RotationScaling::longrope)
      context = std::min(context, a->rope->original_context);
  }
  int64_t weights = 0;
  for (const auto& [name, tensor] : model.weights) weights += tensor.bytes();
  // Weights are mapped files that need their pages; half of what remains is left to others.
  const int64_t room = (available_memory() - weights) / 2;
  const Format state = format_named(options.state).value_or(Format::f16);
  while (context > kLeast &&
         allocated_state_bytes(model.graph, state, context, EngineOptions().chunk, 1) > room)
    context = std::max(kLeast, context / 2);
  return context;
}

void add_id_options(CLI::App& command, IdOptions& options) {
  auto* list = add_value(command, "--ids", options.list, "1,2,3", "token ids, separated by commas");
  add_value(command, "--ids-file", options.file, "F", "JSON file with a list of token ids")
      ->excludes(list);
}

namespace {

TokenId checked_id(int64_t id, const std::string& where) {
  if (id < 0 || id > INT32_MAX)
    fail(ErrorKind::invalid, "{}: expected token ids, found {}", where, id);
  return static_cast<TokenId>(id);
}

}  // namespace

std::vector<TokenId> parse_ids(const std::string& list, const std::string& where) {
  std::vector<TokenId> ids;
  std::istringstream items(list);
  for (std::string item; std::getline(items, item, ',');) {
    item.erase(0, item.find_first_not_of(' '));
    item.resize(item.find_last_not_of(' ') + 1);
    int64_t id = 0;
    const auto r = std::from_chars(item.data(), item.data() + item.size(), id);
    if (item.empty() || r.ec != std::errc() || r.ptr != item.data() + item.size()) {
      fail(ErrorKind::invalid, "{}: expected token ids separated by commas, found \"{}\"", where,
           item);
    }
    ids.push_back(checked_id(id, where));
  }
  return ids;
}

std::vector<TokenId> ids_of(const Json& list, const std::string& where) {
  if (!list.is_array()) fail(ErrorKind::invalid, "{}: expected a JSON list of token ids", where);
  std::vector<TokenId> ids;
  for (const Json& item : list) {
    if (!item.is_number_integer()) {
      fail(ErrorKind::invalid, "{}: expected token ids, found {}", where, dumped(item));
    }
    ids.push_back(checked_id(item.get<int64_t>(), where));
  }
  return ids;
}

std::vector<TokenId> read_ids(const IdOptions& options) {
  if (options.list.empty() == options.file.empty()) {
    fail(ErrorKind::invalid, "expected token ids: either --ids 1,2,3 or --ids-file F.json");
  }
  if (!options.list.empty()) return parse_ids(options.list, "--ids");
  return ids_of(read_json(options.file), options.file);
}

void say_note(const std::string& notice) { say("note: " + with_flags(notice)); }

void say_written(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  std::error_code code;
  int64_t bytes = 0, files = 0;
  if (fs::is_directory(path, code)) {
    for (const auto& entry : fs::recursive_directory_iterator(path, code)) {
      if (!entry.is_regular_file(code)) continue;
      bytes += static_cast<int64_t>(entry.file_size(code));
      ++files;
    }
  } else if (fs::is_regular_file(path, code)) {
    bytes = static_cast<int64_t>(fs::file_size(path, code));
  } else {
    return;  // a device or a pipe
  }
  say(fmt::format("written: {} ({}{})", path.string(),
                  files > 0 ? fmt::format("{} files, ", files) : "",
                  short_bytes(static_cast<double>(bytes))));
}

void check_ending(const std::string& output, const std::vector<std::string>& made,
                  std::string_view what) {
  const std::string ending = std::filesystem::path(output).extension().string();
  std::error_code code;
  const auto kind = std::filesystem::status(output, code).type();
  if (kind == std::filesystem::file_type::character || kind == std::filesystem::file_type::fifo)
    return;
  if (std::find(made.begin(), made.end(), ending) != made.end()) return;
  std::string list;
  for (size_t i = 0; i < made.size(); ++i)
    list += (i == 0 ? "" : i + 1 == made.size() ? " or " : ", ") + made[i];
  fail(ErrorKind::invalid, "{}: expected a name that ends in {}: {}", output, list, what);
}

void print_line(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
}

void print_json(const Json& json, int indent) { print_line(dumped(json, indent)); }

void print_text(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (isatty(STDOUT_FILENO) != 0 && !text.ends_with('\n')) std::fputc('\n', stdout);
}

Progress::Progress(std::string what)
    : what_(std::move(what)), terminal_(isatty(STDERR_FILENO) != 0) {}

void Progress::end() {
  if (shown_) std::fprintf(stderr, "\r\033[K");
  terminal_ = shown_ = false;
}

void Progress::operator()(int64_t done, int64_t total) {
  const auto now = Clock::now();
  if (!terminal_ || now - begin_ < std::chrono::seconds(1)) return;
  if (now - last_ < std::chrono::milliseconds(100) && done != total) return;
  last_ = now;
  shown_ = true;
  std::fprintf(stderr, "\r\033[K%s %3.0f %%", what_.c_str(),
               total > 0 ? 100.0 * static_cast<double>(done) / static_cast<double>(total) : 0.0);
  std::fflush(stderr);
}

std::function<void(const std::string&, int64_t, int64_t)> fetch_progress() {
  struct Current {
    std::string file;
    std::optional<Progress> line;
  };
  return [at = std::make_shared<Current>()](const std::string& file, int64_t done, int64_t total) {
    if (file != at->file) at->line.emplace("fetching " + file);
    at->file = file;
    (*at->line)(done, total);
  };
}

}  // namespace ashlar::app
