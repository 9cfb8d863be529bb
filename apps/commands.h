// The commands of `ashlar`: one file each. apps/<name>.cpp defines add_<name>, which declares the
// command's options and what runs when it is chosen. A command throws ashlar::Error for what the
// user can mend; main prints it.
#pragma once

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "model/model.h"

namespace ashlar {
struct BuildOptions;  // data/build.h
}

namespace ashlar::app {

/// Thrown by a command that has printed all it has to say, to end with this exit code.
struct Exit {
  int code = 0;
};

/// An option, or a positional argument, whose value is called `type` in the help.
template <class T>
CLI::Option* add_value(CLI::App& command, const std::string& name, T& value,
                       const std::string& type, const std::string& about) {
  return command.add_option(name, value, about)->type_name(type);
}

/// A command, and its options, which live as long as it.
template <class Options>
struct Declared {
  CLI::App& command;
  Options& options;
};
/// Declares a command: when it is chosen, `run` gets its options.
template <class O, class Options = std::remove_cvref_t<O>>
Declared<Options> add_command(CLI::App& app, const std::string& name, void (*run)(O),
                              const std::string& about) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(name, about);
  command->callback([options, run] { run(*options); });
  return {*command, *options};
}

/// What commands that touch a model have in common; add_model_options declares them.
struct ModelOptions {
  std::string model;  // MODEL: Hugging Face folder, .gguf file, blueprint file or released name
  std::optional<uint64_t> random;  // --random SEED
  std::string weights;             // --weights FORMAT, of random weights; empty: f32
  std::string adapter;             // --adapter DIR
  int threads = 0;                 // --threads N; 0: one per core
  bool no_pin = false;             // --no-pin
  bool deterministic = false;      // --deterministic
  bool packed_weights = false;     // --packed-weights
  std::string kernels;             // --kernels NAME; empty: the best of this CPU
  int64_t context = 0;             // --context N; 0: what the command finds sensible
  std::string state;               // --state FORMAT of keys and values; empty: the engine's choice
  std::string activations = "fast";  // --activations fast|f32
};

/// MODEL and --random, --weights; with `runs` also --threads, --kernels, --context, --state,
/// --activations, --deterministic, --packed-weights.
void add_model_options(CLI::App& command, ModelOptions& options, bool runs);
void add_threads_option(CLI::App& command, int& threads);
void add_kernels_option(CLI::App& command, std::string& kernels);
Model load(const ModelOptions& options, bool need_weights = true);
/// Whether MODEL is a file or folder with weights in it. They are mapped, so reading where they lie
/// and in which format costs nothing.
bool has_weights(const std::string& model);
/// The engine's options for a model: context as asked, or `fallback`, never above what the model was
/// made for.
EngineOptions engine_options(const ModelOptions& options, const Model& model, int64_t fallback);

/// CORPUS... and how its documents are found.
void add_corpus_options(CLI::App& command, BuildOptions& options);

/// --threads, but no more than there are CPUs to use (a note says so); 0 stays 0.
int usable_threads(int wanted);

/// The context for a conversation: what the model was made for, or less where the memory would not
/// hold its state. Of LongRoPE the original one, so that a short talk runs by the table for it.
int64_t roomy_context(const ModelOptions& options, const Model& model);

/// --ids and --ids-file, of which exactly one must be given.
struct IdOptions {
  std::string list, file;
};
void add_id_options(CLI::App& command, IdOptions& options);
std::vector<TokenId> read_ids(const IdOptions& options);  // throws Error(invalid)
std::vector<TokenId> parse_ids(const std::string& list, const std::string& where);  // "1,2,3"
std::vector<TokenId> ids_of(const Json& list, const std::string& where);

/// "note: ..." on stderr: a notice of the library, its options (`context`) written as flags.
void say_note(const std::string& notice);

/// Text and a line feed, to stdout.
void print_line(std::string_view text);
/// JSON that holds texts of models, as dumped() writes it.
void print_json(const Json& json, int indent = -1);
/// Bytes of text as they are, then a line feed only where a person looks on.
void print_text(const std::string& text);

/// "written: F (12.3 MiB)" on stderr: a file, or a folder with all that lies in it.
void say_written(const std::filesystem::path& path);
/// Error(invalid) where the name of an output ends in something that is not made: `made` are the
/// endings that are (".svg"), `what` says what is written.
void check_ending(const std::string& output, const std::vector<std::string>& made,
                  std::string_view what);

/// A line on stderr that is rewritten in place, only when stderr is a terminal and the work takes
/// over a second.
class Progress {
 public:
  explicit Progress(std::string what);
  ~Progress() { end(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void operator()(int64_t done, int64_t total);
  void end();  // removes the line and shows nothing more

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  bool terminal_, shown_ = false;
  Clock::time_point begin_ = Clock::now(), last_ = begin_;
};
/// Shows such a line for each file that is fetched, one after another.
std::function<void(const std::string& file, int64_t done, int64_t total)> fetch_progress();

/// Declares a command of its name.
using AddCommand = void(CLI::App& app);
AddCommand add_show, add_run, add_chat, add_tokenize, add_detokenize, add_render, add_logits,
    add_perplexity, add_convert, add_verify, add_count, add_plan, add_probe, add_bench, add_profile,
    add_draw, add_explain, add_compare, add_report, add_claims, add_gradients, add_train, add_data,
    add_tokenizer, add_evaluate, add_runs, add_experiment, add_fetch;

}  // namespace ashlar::app
