// ashlar run: completes a prompt, or answers it through the chat template.
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <iterator>

#include "apps/answer_printer.h"
#include "apps/commands.h"
#include "apps/interrupt.h"
#include "apps/sampling_options.h"
#include "base/error.h"
#include "base/json.h"
#include "base/units.h"
#include "generate/mtp_drafter.h"
#include "generate/prompt.h"
#include "jinja/exact_json.h"

namespace ashlar::app {
namespace {

struct RunOptions {
  ModelOptions model;
  GenerationFlags generation;
  std::string prompt, prompt_file, system, messages, tools, reasoning = "show";
  std::vector<std::string> variables;
  bool has_prompt = false, chat = false, continues = false, ids = false, json = false,
       quiet = false;
};

std::string standard_input() {
  if (isatty(STDIN_FILENO) != 0) say_note("the prompt is read from the terminal; Ctrl-D ends it");
  std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  return text;
}

/// PROMPT, a file, or standard input: as "-", and where nothing is given and it is no terminal.
std::string prompt_text(const RunOptions& o) {
  if (!o.prompt_file.empty())
    return o.prompt_file == "-" ? standard_input() : read_file(o.prompt_file);
  if (o.has_prompt) return o.prompt == "-" ? standard_input() : o.prompt;
  return isatty(STDIN_FILENO) != 0 ? "" : standard_input();
}

/// Text of a pipe ends with a line feed that is no part of a question.
std::string as_message(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

ChatRequest chat_request(const RunOptions& o) {
  ChatRequest request;
  if (!o.messages.empty()) {
    request.messages = o.messages == "-" ? parse_exact_json(standard_input(), "standard input")
                                         : read_exact_json(o.messages);
    if (!request.messages.is_array() || request.messages.empty()) {
      fail(ErrorKind::invalid,
           "{}: expected a JSON list of messages such as [{{\"role\": \"user\", \"content\": "
           "\"Hi\"}}]",
           o.messages);
    }
  }
  if (o.messages.empty() || o.has_prompt || !o.prompt_file.empty()) {
    const std::string text = as_message(prompt_text(o));
    if (text.empty()) fail(ErrorKind::invalid, "expected a question: PROMPT or --messages");
    request.messages.push_back({{"role", "user"}, {"content", text}});
  }
  request.system = o.system;
  if (!o.tools.empty()) request.tools = read_exact_json(o.tools);
  for (const std::string& item : o.variables) request.set_variable(item);
  if (o.continues) request.continued_field = "content";
  return request;
}

std::vector<TokenId> prompt_ids(const Model& model, const RunOptions& o) {
  const Tokenizer& tokenizer = tokenizer_of(model);
  if (!o.chat) return tokenizer.encode(prompt_text(o));
  if (!has_chat_template(model)) {
    fail(ErrorKind::unsupported,
         "{}: has no chat template; without --chat, --system, --messages, --tools and --var the "
         "text is completed",
         model.source);
  }
  return ChatPrompt(model).ids(chat_request(o));
}

void print(const RunOptions& o, const std::vector<TokenId>& prompt, const Generation& result,
           const Engine& engine) {
  if (o.json) {
    std::printf("%s\n", Json({{"prompt_ids", prompt},
                              {"ids", result.ids},
                              {"text", result.text},
                              {"stop", std::string(to_string(result.stop))},
                              {"drafted_tokens", result.drafted_tokens},
                              {"accepted_tokens", result.accepted_tokens},
                              {"prefill_tokens_per_second", result.prefill_tokens_per_second()},
                              {"decode_tokens_per_second", result.decode_tokens_per_second()}})
                            .dump(-1, ' ', false, Json::error_handler_t::replace)
                            .c_str());
    return;
  }
  if (o.ids) {
    for (size_t i = 0; i < result.ids.size(); ++i)
      std::printf("%s%d", i > 0 ? "," : "", result.ids[i]);
    std::printf("\n");
  }
  if (o.quiet) return;
  std::fflush(stdout);
  std::fprintf(
      stderr,
      "[%s; prompt %lld tokens at %.0f/s, %zu generated at %.1f/s%s; %s kernels, %d threads]\n",
      std::string(to_string(result.stop)).c_str(), static_cast<long long>(result.prompt_tokens),
      result.prefill_tokens_per_second(), result.ids.size(), result.decode_tokens_per_second(),
      drafting_text(result).c_str(), std::string(engine.kernels()).c_str(), engine.threads());
  if (result.stop == StopReason::max_tokens && !o.generation.options.ignore_end &&
      o.generation.command->get_option("--max-tokens")->count() == 0) {
    std::fprintf(stderr, "[cut at %s tokens: --max-tokens allows more]\n",
                 grouped(o.generation.options.max_tokens).c_str());
  }
}

void run_model(const RunOptions& o) {
  const Model model = load(o.model);
  GenerateOptions options = generation_options(o.generation);
  // A greedy answer is the default where nobody recommends to sample.
  const auto sampled = model.sampling.find("do_sample");
  if (sampled != model.sampling.end() && sampled->second != 0)
    take_recommendations(model.sampling, o.generation, o.quiet, options.sampling);
  const std::vector<TokenId> prompt = prompt_ids(model, o);
  const CatchInterrupt guard(CatchInterrupt::Second::ends_the_process);
  options.interrupted = CatchInterrupt::caught;
  const int64_t needed = static_cast<int64_t>(prompt.size()) + options.max_tokens;
  const std::string& draft = o.generation.draft;
  Engine engine = engine_of(model, engine_options(o.model, model, std::max<int64_t>(needed, 1)),
                            draft == "mtp");
  options.drafter = drafter_of(draft, o.model, model, engine);
  Generator generator(engine, model.tokenizer.get(), model.end_tokens);
  // In a terminal reasoning is told apart; a program gets the text with its marks.
  const ReasoningMarks marks(model);
  const bool stream = !o.json && !o.ids;
  const bool splits = stream && o.chat && (isatty(STDOUT_FILENO) != 0 || o.reasoning != "show");
  ReasoningSplitter splitter(marks, marks.open_after(*model.tokenizer, prompt));
  AnswerPrinter printer(o.reasoning);
  auto progress = std::make_unique<Progress>("reading the prompt");
  const GenerateHooks hooks{.shown = marks.special(),
                            .after = {},
                            .shorten = {},
                            .progress = [&](int64_t done, int64_t total) {
                              if (progress) progress->update(done, total);
                            }};
  const auto say = [&](const std::vector<Spoken>& pieces) {
    for (const Spoken& piece : pieces) printer(piece);
  };
  const auto on_text = [&](std::string_view text) {
    progress.reset();
    if (!stream) return true;
    if (splits)
      say(splitter.push(text));
    else
      printer({Spoken::As::answer, std::string(text)});
    return true;
  };
  const Generation result = generator.generate(prompt, options, on_text, hooks);
  progress.reset();
  if (splits) say(splitter.finish());
  if (stream) printer.finish();
  print(o, prompt, result, engine);
  if (result.stop == StopReason::interrupted) throw Exit{CatchInterrupt::exit_code()};
}

}  // namespace

void add_run(CLI::App& app) {
  auto o = std::make_shared<RunOptions>();
  CLI::App* command =
      app.add_subcommand("run", "complete a text, or answer a question with --chat");
  add_model_options(*command, o->model, true);
  CLI::Option* prompt = command->add_option(
      "prompt", o->prompt,
      "text to go on from, special tokens written in it are recognised; - or nothing: standard "
      "input");
  prompt->type_name("PROMPT");
  add_value(*command, "--prompt-file", o->prompt_file, "F",
            "read the prompt from a file (-: stdin)");
  CLI::Option* chat = command->add_flag(
      "--chat", o->chat, "the prompt is a user's message: apply the model's chat template");
  CLI::Option* system = command->add_option("--system", o->system, "system message");
  system->type_name("TEXT");
  CLI::Option* messages = command->add_option(
      "--messages", o->messages,
      "JSON list of messages that come before PROMPT, or that end with the question (-: stdin)");
  messages->type_name("F.json");
  CLI::Option* continues = command->add_flag(
      "--continue", o->continues, "go on with the last message (a prefilled answer) of --messages");
  continues->needs(messages);
  CLI::Option* tools = command->add_option("--tools", o->tools, "JSON list of tools");
  tools->type_name("F.json");
  CLI::Option* variables = add_variable_option(*command, o->variables);
  for (CLI::Option* option : {chat, system, messages, continues, tools, variables})
    option->group("Chat (each of these applies the model's chat template)");
  command->add_flag("--ids", o->ids, "print the generated token ids instead of text");
  command->add_flag("--json", o->json, "print prompt_ids, ids, text and speeds as JSON");
  command->add_flag("--quiet", o->quiet, "no lines about sampling and speed on stderr");
  o->generation.options.max_tokens = 128;
  add_generation_options(*command, o->generation);
  add_reasoning_option(*command, o->reasoning);
  command->footer(
      "Examples:\n"
      "  ashlar run model.gguf \"The sea is\" --max-tokens 40\n"
      "  ashlar run ./SmolLM2-135M-Instruct --chat \"Name three primes.\" --system \"Be brief.\"\n"
      "  git diff | ashlar run model.gguf --chat --prompt-file - --max-tokens 500\n"
      "  ashlar run ./Qwen3-0.6B --var enable_thinking=false \"Why is the sky blue?\"");
  command->callback([o, prompt, system, messages, tools, variables] {
    o->has_prompt = prompt->count() > 0;
    if (o->has_prompt && !o->prompt_file.empty())
      fail(ErrorKind::invalid, "expected either PROMPT or --prompt-file, found both");
    for (const CLI::Option* option : {system, messages, tools, variables})
      o->chat = o->chat || option->count() > 0;
    run_model(*o);
  });
}

}  // namespace ashlar::app
