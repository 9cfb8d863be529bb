// ashlar chat: a conversation in the terminal.
#include <editline/readline.h>
#include <unistd.h>

#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "apps/commands.h"
#include "apps/flags.h"
#include "apps/interrupt.h"
#include "apps/sampling_options.h"
#include "base/error.h"
#include "base/json.h"
#include "generate/prompt.h"

namespace ashlar::app {
namespace {

struct ChatOptions {
  ModelOptions model;
  GenerationFlags generation;
  std::string system;
  std::vector<std::string> variables;
};

constexpr const char* kHelp =
    "  /help              this list\n"
    "  /system TEXT       set the system message and begin anew\n"
    "  /clear             begin anew\n"
    "  /undo              take back the last question and its answer\n"
    "  /retry             answer the last question again (with another seed)\n"
    "  /set NAME VALUE    temperature, top_p, top_k, min_p, max_tokens or seed\n"
    "  /save F, /load F   the conversation as a JSON list of messages\n"
    "  /stats             tokens and speed of the last answer\n"
    "  /quit              leave (so does Ctrl-D)\n"
    "A line that ends in \\ goes on. Ctrl-C stops an answer.\n";

/// One line from the person (with editing and history) or from a pipe; nothing at the end.
std::optional<std::string> read_line(const char* prompt) {
  if (isatty(STDIN_FILENO) == 0) {
    std::string line;
    if (!std::getline(std::cin, line)) return std::nullopt;
    return line;
  }
  char* line = readline(prompt);
  if (line == nullptr) return std::nullopt;
  std::string text(line);
  std::free(line);
  if (!text.empty()) add_history(text.c_str());
  return text;
}

std::optional<std::string> read_message() {
  auto line = read_line("> ");
  while (line && line->ends_with('\\')) {
    line->back() = '\n';
    const auto more = read_line(". ");
    if (!more) break;
    *line += *more;
  }
  return line;
}

class Chat {
 public:
  explicit Chat(const ChatOptions& o)
      : model_(load(o.model)), options_(generation_options(o.generation)), system_(o.system) {
    tokenizer_of(model_);
    const auto sampled = model_.sampling.find("do_sample");
    if (sampled == model_.sampling.end() || sampled->second != 0)
      take_recommendations(model_.sampling, o.generation, false, options_.sampling);
    if (!has_chat_template(model_)) {
      fail(ErrorKind::unsupported,
           "{}: has no chat template (a base model?); `ashlar run` completes text", model_.source);
    }
    prompt_.emplace(model_);
    for (const std::string& item : o.variables) request_.set_variable(item);
    engine_.emplace(model_.graph, model_.weights, engine_options(o.model, model_, 4096));
    generator_.emplace(*engine_, model_.tokenizer.get(), model_.end_tokens);
    clear();
  }

  void loop() {
    if (isatty(STDIN_FILENO) != 0) {
      std::fprintf(stderr, "%s; context %lld tokens; /help lists commands\n", model_.source.c_str(),
                   static_cast<long long>(engine_->context()));
    }
    while (const auto line = read_message()) {
      if (line->empty()) continue;
      try {
        if (line->front() == '/') {
          if (!command(*line)) return;
        } else {
          messages_.push_back({{"role", "user"}, {"content", *line}});
          answer();
        }
      } catch (const Error& e) {
        std::fflush(stdout);
        std::fprintf(stderr, "%s\n", with_flags(e.what()).c_str());
      }
    }
  }

 private:
  void clear() {
    messages_ = Json::array();
    if (!system_.empty()) messages_.push_back({{"role", "system"}, {"content", system_}});
  }

  /// Answers the last message. A failure takes the question back, so that the conversation stays
  /// usable.
  void answer() {
    try {
      request_.messages = messages_;
      const auto prompt = prompt_->ids(request_);
      const CatchInterrupt guard(CatchInterrupt::Second::is_caught);
      options_.interrupted = CatchInterrupt::caught;
      last_ = generator_->generate(prompt, options_, [](std::string_view text) {
        std::fwrite(text.data(), 1, text.size(), stdout);
        std::fflush(stdout);
        return true;
      });
    } catch (...) {
      messages_.erase(messages_.size() - 1);
      throw;
    }
    std::printf("\n");
    std::fflush(stdout);
    if (last_.stop == StopReason::interrupted && last_.ids.empty()) {
      messages_.erase(messages_.size() - 1);
      std::fprintf(stderr, "[stopped before the answer began: the question is taken back]\n");
      return;
    }
    if (last_.stop == StopReason::context_full) {
      std::fprintf(stderr,
                   "[the context of %lld tokens is full: /clear, /undo or a larger --context]\n",
                   static_cast<long long>(engine_->context()));
    }
    messages_.push_back({{"role", "assistant"}, {"content", last_.text}});
  }

  void undo() {
    while (!messages_.empty() && messages_.back()["role"] == "assistant")
      messages_.erase(messages_.size() - 1);
    if (!messages_.empty() && messages_.back()["role"] == "user")
      messages_.erase(messages_.size() - 1);
  }

  void set(const std::string& rest) {
    const size_t space = std::min(rest.find(' '), rest.size());
    const std::string name = rest.substr(0, space),
                      text = space < rest.size() ? rest.substr(space + 1) : "";
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    SamplingOptions changed = options_.sampling;
    if (text.empty() || *end != '\0')
      fail(ErrorKind::invalid, "/set: expected NAME NUMBER, found \"{}\"", rest);
    if (name == "temperature")
      changed.temperature = static_cast<float>(value);
    else if (name == "top_p")
      changed.top_p = static_cast<float>(value);
    else if (name == "top_k")
      changed.top_k = static_cast<int>(value);
    else if (name == "min_p")
      changed.min_p = static_cast<float>(value);
    else if (name == "max_tokens")
      options_.max_tokens = static_cast<int64_t>(value);
    else if (name == "seed")
      changed.seed = static_cast<uint64_t>(value);
    else
      fail(ErrorKind::invalid, "/set: unknown name \"{}\"; see /help", name);
    const Sampler checked(changed);
    options_.sampling = changed;
  }

  void load_messages(const std::string& file) {
    Json messages = read_json(file);
    if (!messages.is_array())
      fail(ErrorKind::invalid, "{}: expected a JSON list of messages", file);
    for (const Json& m : messages) {
      if (!m.is_object() || !m.contains("role"))
        fail(ErrorKind::invalid, "{}: a message has no role", file);
    }
    messages_ = std::move(messages);
  }

  /// False: leave.
  bool command(const std::string& line) {
    const size_t space = std::min(line.find(' '), line.size());
    const std::string name = line.substr(1, space - 1),
                      rest = space < line.size() ? line.substr(space + 1) : "";
    if (name == "quit" || name == "exit") return false;
    if (name == "help") {
      std::fputs(kHelp, stderr);
    } else if (name == "clear") {
      clear();
    } else if (name == "system") {
      system_ = rest;
      clear();
    } else if (name == "undo") {
      undo();
    } else if (name == "retry") {
      if (messages_.empty() || messages_.back()["role"] != "assistant")
        fail(ErrorKind::invalid, "nothing to retry");
      messages_.erase(messages_.size() - 1);
      ++options_.sampling.seed;
      answer();
    } else if (name == "set") {
      set(rest);
    } else if (name == "save") {
      write_file(rest, messages_.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
    } else if (name == "load") {
      load_messages(rest);
    } else if (name == "stats") {
      std::fprintf(
          stderr,
          "prompt %lld tokens, %lld of them evaluated at %.0f/s; %zu generated at %.1f/s; %s\n",
          static_cast<long long>(last_.prompt_tokens),
          static_cast<long long>(last_.evaluated_tokens), last_.prefill_tokens_per_second(),
          last_.ids.size(), last_.decode_tokens_per_second(),
          std::string(to_string(last_.stop)).c_str());
    } else {
      fail(ErrorKind::invalid, "unknown command /{}; /help lists them", name);
    }
    return true;
  }

  Model model_;
  GenerateOptions options_;
  std::string system_;
  Json messages_;
  ChatRequest request_;
  std::optional<ChatPrompt> prompt_;
  std::optional<Engine> engine_;
  std::optional<Generator> generator_;
  Generation last_;
};

}  // namespace

void add_chat(CLI::App& app) {
  auto o = std::make_shared<ChatOptions>();
  CLI::App* command = app.add_subcommand("chat", "talk with a model");
  command->footer(std::string("\nIn the conversation:\n") + kHelp);
  add_model_options(*command, o->model, true);
  command->add_option("--system", o->system, "system message")->type_name("TEXT");
  add_variable_option(*command, o->variables);
  o->generation.options.max_tokens = 1024;
  o->generation.options.sampling.temperature = 0.7F;
  o->generation.options.sampling.top_p = 0.95F;
  add_generation_options(*command, o->generation);
  command->callback([o] {
    std::setlocale(LC_CTYPE, "");
    Chat(*o).loop();
  });
}

}  // namespace ashlar::app
