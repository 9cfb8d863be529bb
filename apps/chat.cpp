// ashlar chat: a conversation in the terminal.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "apps/answer_printer.h"
#include "apps/commands.h"
#include "apps/flags.h"
#include "apps/interrupt.h"
#include "apps/line_editor.h"
#include "apps/sampling_options.h"
#include "apps/terminal.h"
#include "base/edit_distance.h"
#include "base/error.h"
#include "base/json.h"
#include "base/units.h"
#include "generate/dialogue.h"
#include "generate/mtp_drafter.h"

namespace ashlar::app {
namespace {

namespace fs = std::filesystem;

struct ChatOptions {
  ModelOptions model;
  GenerationFlags generation;
  std::string system, reasoning = "show", load;
  std::vector<std::string> variables;
  bool quiet = false, resume = false;
};

struct Command {
  const char *name, *arguments, *about;
};
constexpr Command kCommands[] = {
    {"help", "", "this list"},
    {"system", "TEXT", "set the system message and begin anew"},
    {"clear", "", "begin anew"},
    {"undo", "", "take back the last question and its answer"},
    {"retry", "", "answer the last question again (with another seed)"},
    {"continue", "", "go on with an answer that was cut"},
    {"set", "[NAME VALUE]",
     "temperature, top_p, top_k, min_p, repetition_penalty, max_tokens, seed"},
    {"save", "F", "write the conversation as a JSON list of messages"},
    {"load", "[F]", "read one; without F the one that was kept last"},
    {"stats", "", "tokens and speed of the last answer"},
    {"quit", "", "leave (so do Ctrl-D and Ctrl-C twice)"},
};
constexpr const char* kSettings[] = {"temperature",        "top_p",      "top_k", "min_p",
                                     "repetition_penalty", "max_tokens", "seed"};
constexpr const char* kTyping =
    "  \"\"\" begins and ends a message of several lines; a line that ends in \\ goes on.\n"
    "  A paste is one message. Tab completes, Up brings back what was said before.\n"
    "  Ctrl-C clears the line, or stops an answer.\n";

std::string help_text() {
  std::string text;
  for (const Command& c : kCommands) {
    const std::string head = fmt::format("/{} {}", c.name, c.arguments);
    text += fmt::format("  {:<20} {}\n", head, c.about);
  }
  return text + kTyping;
}

/// Where histories and conversations are kept between sessions; empty: nowhere.
fs::path state_folder() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/')
    return fs::path(state) / "ashlar";
  const char* home = std::getenv("HOME");
  return home == nullptr || *home == '\0' ? fs::path() : fs::path(home) / ".local/state/ashlar";
}

std::vector<std::string> files_like(const std::string& word) {
  const size_t slash = word.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : word.substr(0, slash + 1);
  std::vector<std::string> found;
  std::error_code code;
  for (fs::directory_iterator it(folder.empty() ? "." : folder, code), end; !code && it != end;
       it.increment(code)) {
    const std::string name = folder + it->path().filename().string();
    if (name.starts_with(word)) found.push_back(it->is_directory(code) ? name + "/" : name);
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::string> completions(std::string_view line) {
  std::vector<std::string> found;
  const size_t space = line.find(' ');
  if (!line.starts_with('/')) return found;
  if (space == std::string_view::npos) {
    for (const Command& c : kCommands) {
      const std::string name = std::string("/") + c.name;
      if (name.starts_with(line)) found.push_back(name);
    }
    return found;
  }
  const std::string word(line.substr(line.rfind(' ') + 1));
  if (line.starts_with("/load ") || line.starts_with("/save ")) return files_like(word);
  if (line.starts_with("/set ") && line.find(' ', space + 1) == std::string_view::npos) {
    for (const char* name : kSettings) {
      if (std::string_view(name).starts_with(word)) found.emplace_back(name);
    }
  }
  return found;
}

class Chat {
 public:
  explicit Chat(const ChatOptions& o)
      : quiet_(o.quiet),
        model_(load(o.model)),
        options_(generation_options(o.generation)),
        folder_(state_folder()),
        editor_(folder_.empty() ? fs::path() : folder_ / "history", completions),
        printer_(o.reasoning) {
    tokenizer_of(model_);
    const auto sampled = model_.sampling.find("do_sample");
    if (sampled == model_.sampling.end() || sampled->second != 0)
      take_recommendations(model_.sampling, o.generation, o.quiet, options_.sampling);
    if (!has_chat_template(model_)) {
      fail(ErrorKind::unsupported,
           "{}: has no chat template (a base model?); `ashlar run` completes text", model_.source);
    }
    ChatRequest request;
    request.system = o.system;
    for (const std::string& item : o.variables) request.set_variable(item);
    const std::string& draft = o.generation.draft;
    engine_.emplace(engine_of(
        model_, engine_options(o.model, model_, roomy_context(o.model, model_)), draft == "mtp"));
    options_.drafter = drafter_of(draft, o.model, model_, *engine_);
    dialogue_.emplace(*engine_, model_, std::move(request));
    if (o.resume || !o.load.empty()) load_messages(o.load);
  }

  void loop() {
    if (editor_.is_terminal() && !quiet_) {
      say(fmt::format("{}; context {} tokens; /help lists commands", model_.source,
                      grouped(engine_->context())));
    }
    bool warned = false;
    for (;;) {
      const auto message = read_message(warned);
      if (!message) break;
      if (message->empty()) continue;
      failed_ = false;
      try {
        if (message->front() == '/' && message->find('\n') == std::string::npos) {
          if (!command(*message)) return;
        } else {
          answer([&](const OnSpoken& say) { return dialogue_->ask(*message, options_, say); });
        }
      } catch (const Error& e) {
        std::fflush(stdout);
        say(with_flags(e.what()));
        failed_ = true;
      }
    }
    if (editor_.is_terminal() && !kept_.empty())
      say("[the conversation is kept: `ashlar chat MODEL --resume` goes on]");
  }

  /// A person has read the messages; a script reads the exit code, which tells of its last line as
  /// a shell's does.
  bool failed_unseen() const { return failed_ && !editor_.is_terminal(); }

 private:
  /// A line; several after """ or \ at the end of one. Nothing: the person leaves.
  std::optional<std::string> read_message(bool& warned) {
    constexpr std::string_view kQuotes = "\"\"\"";
    const TypedLine first = editor_.read("> ");
    if (first.kind == TypedLine::Kind::end) return std::nullopt;
    if (first.kind == TypedLine::Kind::interrupted) {
      if (first.text.empty() && warned) return std::nullopt;
      if (first.text.empty()) say("[Ctrl-C again or Ctrl-D leaves]");
      warned = true;
      return "";
    }
    warned = false;
    std::string text = first.text;
    const bool quoted = text.starts_with(kQuotes);
    if (quoted) text.erase(0, kQuotes.size());
    bool begun = !text.empty();
    while (quoted ? !text.ends_with(kQuotes) : text.ends_with('\\')) {
      const TypedLine more = editor_.read(". ");
      if (more.kind == TypedLine::Kind::interrupted) return "";
      if (more.kind == TypedLine::Kind::end) break;
      if (!quoted) text.pop_back();
      if (begun) text += '\n';
      text += more.text;
      begun = true;
    }
    if (quoted && text.ends_with(kQuotes)) text.resize(text.size() - kQuotes.size());
    while (text.ends_with('\n')) text.pop_back();
    editor_.remember(text);
    return text;
  }

  template <class F>
  void answer(F speak) {
    {
      const CatchInterrupt guard(CatchInterrupt::Second::is_caught);
      options_.interrupted = CatchInterrupt::caught;
      Progress progress("reading");
      dialogue_->set_progress(std::ref(progress));
      last_ = speak([&](const Spoken& piece) {
        progress.end();
        printer_(piece);
        return true;
      });
      dialogue_->set_progress({});
    }
    printer_.finish();
    keep();
    say_end();
  }

  void say_end() {
    const auto note = [](const std::string& text) { say(styled(stderr, Style::dim, text)); };
    const Generation& g = last_.generation;
    if (last_.taken_back) {
      note("[stopped before the answer began: the question is taken back]");
      return;
    }
    if (last_.gave_way) {
      note(
          fmt::format("[the context of {} tokens is full: the oldest {} messages are no longer "
                      "seen; /clear begins anew, /undo takes the last question back]",
                      grouped(engine_->context()), last_.unseen));
    }
    if (g.stop == StopReason::context_full) {
      note(fmt::format(
          "[cut: the context of {} tokens is full; /clear, /undo, or a larger --context]",
          grouped(engine_->context())));
    }
    if (g.stop == StopReason::max_tokens) {
      note(fmt::format(
          "[cut at {} tokens: /continue goes on, /set max_tokens or --max-tokens allows more]",
          grouped(options_.max_tokens)));
    }
    if (g.stop == StopReason::interrupted) note("[stopped: /continue goes on]");
    if (!quiet_) note(speed_text());
  }

  std::string speed_text() const {
    const Generation& g = last_.generation;
    std::string text = fmt::format("[{} tokens", g.ids.size());
    if (g.decode_tokens_per_second() > 0)
      text += fmt::format(" at {:.1f}/s{}", g.decode_tokens_per_second(), drafting_text(g));
    return text + fmt::format("; prompt {}, {} of it new at {:.0f}/s]", grouped(g.prompt_tokens),
                              grouped(g.evaluated_tokens), g.prefill_tokens_per_second());
  }

  /// What was said, for --resume and /load; only where a person types.
  void keep() {
    if (!editor_.is_terminal() || folder_.empty()) return;
    try {
      fs::create_directories(folder_);
      const fs::path file = folder_ / "last_chat.json";
      save(file.string());
      fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
      kept_ = file;
    } catch (const std::exception&) {
      kept_.clear();  // a disk that is full or read-only is no reason to end a conversation
    }
  }

  void save(const std::string& file) const {
    write_file(file, dumped(dialogue_->messages(), 1) + "\n");
  }

  void set(const std::string& rest) {
    if (rest.empty()) {
      const SamplingOptions& s = options_.sampling;
      say(
          fmt::format("temperature {:g}, top_p {:g}, top_k {}, min_p {:g}, repetition_penalty "
                      "{:g}, max_tokens {}, seed {}",
                      s.temperature, s.top_p, s.top_k, s.min_p, s.repetition_penalty,
                      options_.max_tokens, s.seed));
      return;
    }
    const size_t space = std::min(rest.find(' '), rest.size());
    const std::string name = rest.substr(0, space),
                      text = space < rest.size() ? rest.substr(space + 1) : "";
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    SamplingOptions changed = options_.sampling;
    if (text.empty() || *end != '\0')
      fail(ErrorKind::invalid, "/set: expected NAME NUMBER, found \"{}\"", rest);
    if (name == "max_tokens") {
      if (value < 1) fail(ErrorKind::invalid, "/set max_tokens: expected 1 or more");
      options_.max_tokens = static_cast<int64_t>(value);
    } else if (name == "seed") {
      changed.seed = static_cast<uint64_t>(value);
    } else if (!set_sampling(name, value, changed)) {
      fail(ErrorKind::invalid, "/set: unknown name \"{}\", the nearest is {}; see /help", name,
           nearest(name, {std::begin(kSettings), std::end(kSettings)}, 1).at(0));
    }
    const Sampler checked(changed);
    options_.sampling = changed;
  }

  void load_messages(const std::string& file) {
    const std::string from = file.empty() ? (folder_ / "last_chat.json").string() : file;
    Json messages = read_json(from);
    try {
      dialogue_->set_messages(std::move(messages));
    } catch (const Error& e) {
      fail(e.kind(), "{}: {}", from, e.what());
    }
    say(fmt::format("[{} messages of {}]", dialogue_->messages().size(), from));
  }

  void retry() {
    if (!dialogue_->take_back_answer()) fail(ErrorKind::invalid, "nothing to retry");
    ++options_.sampling.seed;
    answer([&](const OnSpoken& say) { return dialogue_->answer(options_, say); });
  }

  /// False: leave.
  bool command(const std::string& line) {
    const size_t space = std::min(line.find(' '), line.size());
    const std::string name = line.substr(1, space - 1),
                      rest = space < line.size() ? line.substr(space + 1) : "";
    if (name == "quit" || name == "exit" || name == "bye") return false;
    if (name == "help" || name == "?") {
      std::fputs(wrapped(help_text(), columns(stderr)).c_str(), stderr);
    } else if (name == "clear") {
      dialogue_->clear();
    } else if (name == "system") {
      dialogue_->set_system(rest);
    } else if (name == "undo") {
      if (!dialogue_->undo()) fail(ErrorKind::invalid, "nothing to take back");
    } else if (name == "retry") {
      retry();
    } else if (name == "continue") {
      answer([&](const OnSpoken& say) { return dialogue_->go_on(options_, say); });
    } else if (name == "set") {
      set(rest);
    } else if (name == "save") {
      if (rest.empty()) fail(ErrorKind::invalid, "/save: expected a file's name");
      save(rest);
      say(fmt::format("[{} messages written to {}]", dialogue_->messages().size(), rest));
    } else if (name == "load") {
      load_messages(rest);
    } else if (name == "stats") {
      say(fmt::format("{} {}", speed_text(), to_string(last_.generation.stop)));
    } else {
      std::vector<std::string> names;
      for (const Command& c : kCommands) names.emplace_back(c.name);
      fail(ErrorKind::invalid, "unknown command /{}, the nearest is /{}; /help lists them", name,
           nearest(name, names, 1).at(0));
    }
    return true;
  }

  bool quiet_, failed_ = false;
  Model model_;
  GenerateOptions options_;
  fs::path folder_, kept_;
  LineEditor editor_;
  AnswerPrinter printer_;
  std::optional<Engine> engine_;
  std::optional<Dialogue> dialogue_;
  DialogueAnswer last_;
};

void run_chat(const ChatOptions& o) {
  Chat chat(o);
  chat.loop();
  if (chat.failed_unseen()) throw Exit{1};
}

}  // namespace

void add_chat(CLI::App& app) {
  auto [command, o] = add_command(app, "chat", run_chat, "talk with a model");
  command.footer(std::string("In the conversation:\n") + help_text() +
                 "\nExamples:\n"
                 "  ashlar chat ./SmolLM2-135M-Instruct\n"
                 "  ashlar chat qwen3-8b-q4_k_m.gguf --system \"Answer in French.\" --context 32k\n"
                 "  ashlar chat ./Qwen3-0.6B --var enable_thinking=false --temperature 0.2");
  add_model_options(command, o.model, true);
  add_value(command, "--system", o.system, "TEXT", "system message");
  add_value(command, "--load", o.load, "F.json", "begin with the messages of a JSON file");
  command.add_flag("--resume", o.resume, "go on with the conversation that was kept last");
  command.add_flag("--quiet", o.quiet, "no lines about sampling and speed on stderr");
  add_variable_option(command, o.variables);
  o.generation.options.max_tokens = 1024;
  o.generation.options.sampling.temperature = 0.7F;
  o.generation.options.sampling.top_p = 0.95F;
  add_generation_options(command, o.generation);
  add_reasoning_option(command, o.reasoning);
}

}  // namespace ashlar::app
