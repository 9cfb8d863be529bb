// ashlar run: completes a prompt, or answers it through the chat template.
#include <fmt/format.h>
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
  return {std::istreambuf_iterator<char>(std::cin), {}};
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
    check_messages(request.messages, o.messages);
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
    return print_json({{"prompt_ids", prompt},
                       {"ids", result.ids},
                       {"text", result.text},
                       {"stop", std::string(to_string(result.stop))},
                       {"drafted_tokens", result.drafted_tokens},
                       {"accepted_tokens", result.accepted_tokens},
                       {"prefill_tokens_per_second", result.prefill_tokens_per_second()},
                       {"decode_tokens_per_second", result.decode_tokens_per_second()}});
  }
  if (o.ids) print_line(fmt::format("{}", fmt::join(result.ids, ",")));
  if (o.quiet) return;
  std::fflush(stdout);
  std::fprintf(
      stderr,
      "[%s; prompt %lld tokens at %.0f/s, %zu generated at %.1f/s%s; %s kernels, %d threads]\n",
      std::string(to_string(result.stop)).c_str(), static_cast<long long>(result.prompt_tokens),
      result.prefill_tokens_per_second(), result.ids.size(), result.decode_tokens_per_second(),
      drafting_text(result).c_str(), std::string(engine.kernels()).c_str(), engine.threads());
  if (result.stop == StopReason::max_tokens && !o.generation.options.ignore_end &&
      o.generation.command->count("--max-tokens") == 0) {
    std::fprintf(stderr, "[cut at %s tokens: --max-tokens allows more]\n",
                 grouped(o.generation.options.max_tokens).c_str());
  }
}

void run_model(RunOptions& o) {
  const auto given = [&](const char* option) { return o.generation.command->count(option) > 0; };
  o.has_prompt = given("prompt");
  if (o.has_prompt && !o.prompt_file.empty())
    fail(ErrorKind::invalid, "expected either PROMPT or --prompt-file, found both");
  for (const char* option : {"--system", "--messages", "--tools", "--var"})
    o.chat = o.chat || given(option);
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
  Progress progress("reading the prompt");
  const GenerateHooks hooks{
      .shown = marks.special(), .after = {}, .shorten = {}, .progress = std::ref(progress)};
  const auto say = [&](const std::vector<Spoken>& pieces) {
    for (const Spoken& piece : pieces) printer(piece);
  };
  const auto on_text = [&](std::string_view text) {
    progress.end();
    if (splits)
      say(splitter.push(text));
    else if (stream)
      printer({Spoken::As::answer, std::string(text)});
    return true;
  };
  const Generation result = generator.generate(prompt, options, on_text, hooks);
  progress.end();
  if (splits) say(splitter.finish());
  if (stream) printer.finish();
  print(o, prompt, result, engine);
  if (result.stop == StopReason::interrupted) throw Exit{CatchInterrupt::exit_code()};
}

}  // namespace

void add_run(CLI::App& app) {
  auto [command, o] =
      add_command(app, "run", run_model, "complete a text, or answer a question with --chat");
  add_model_options(command, o.model, true);
  add_value(
      command, "prompt", o.prompt, "PROMPT",
      "text to go on from, special tokens written in it are recognised; - or nothing: standard "
      "input");
  add_value(command, "--prompt-file", o.prompt_file, "F", "read the prompt from a file (-: stdin)");
  command.option_defaults()->group("Chat (each of these applies the model's chat template)");
  command.add_flag("--chat", o.chat,
                   "the prompt is a user's message: apply the model's chat template");
  add_value(command, "--system", o.system, "TEXT", "system message");
  add_value(
      command, "--messages", o.messages, "F.json",
      "JSON list of messages that come before PROMPT, or that end with the question (-: stdin)");
  command
      .add_flag("--continue", o.continues,
                "go on with the last message (a prefilled answer) of --messages")
      ->needs("--messages");
  add_value(command, "--tools", o.tools, "F.json", "JSON list of tools");
  add_variable_option(command, o.variables);
  command.option_defaults()->group("Options");
  command.add_flag("--ids", o.ids, "print the generated token ids instead of text");
  command.add_flag("--json", o.json, "print prompt_ids, ids, text and speeds as JSON");
  command.add_flag("--quiet", o.quiet, "no lines about sampling and speed on stderr");
  o.generation.options.max_tokens = 128;
  add_generation_options(command, o.generation);
  add_reasoning_option(command, o.reasoning);
  command.footer(
      "Examples:\n"
      "  ashlar run model.gguf \"The sea is\" --max-tokens 40\n"
      "  ashlar run ./SmolLM2-135M-Instruct --chat \"Name three primes.\" --system \"Be brief.\"\n"
      "  git diff | ashlar run model.gguf --chat --prompt-file - --max-tokens 500\n"
      "  ashlar run ./Qwen3-0.6B --var enable_thinking=false \"Why is the sky blue?\"");
}

}  // namespace ashlar::app
