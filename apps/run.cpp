// ashlar run: completes a prompt, or answers it through the chat template.
#include <cstdio>

#include "apps/commands.h"
#include "apps/interrupt.h"
#include "apps/sampling_options.h"
#include "base/error.h"
#include "base/json.h"
#include "generate/prompt.h"

namespace ashlar::app {
namespace {

struct RunOptions {
  ModelOptions model;
  GenerationFlags generation;
  std::string prompt, prompt_file, system;
  std::vector<std::string> variables;
  bool chat = false, ids = false, json = false, quiet = false;
};

std::vector<TokenId> prompt_ids(const Model& model, const RunOptions& o) {
  const Tokenizer& tokenizer = tokenizer_of(model);
  const std::string text = o.prompt_file.empty() ? o.prompt : read_file(o.prompt_file);
  if (!o.chat) return tokenizer.encode(text);
  if (!has_chat_template(model)) {
    fail(ErrorKind::unsupported, "{}: has no chat template; leave out --chat to complete the text",
         model.source);
  }
  ChatRequest request;
  request.system = o.system;
  request.messages.push_back({{"role", "user"}, {"content", text}});
  for (const std::string& item : o.variables) request.set_variable(item);
  return ChatPrompt(model).ids(request);
}

void print(const RunOptions& o, const std::vector<TokenId>& prompt, const Generation& result,
           const Engine& engine) {
  if (o.json) {
    std::printf("%s\n", Json({{"prompt_ids", prompt},
                              {"ids", result.ids},
                              {"text", result.text},
                              {"stop", std::string(to_string(result.stop))},
                              {"prefill_tokens_per_second", result.prefill_tokens_per_second()},
                              {"decode_tokens_per_second", result.decode_tokens_per_second()}})
                            .dump(-1, ' ', false, Json::error_handler_t::replace)
                            .c_str());
    return;
  }
  if (o.ids) {
    for (size_t i = 0; i < result.ids.size(); ++i)
      std::printf("%s%d", i > 0 ? "," : "", result.ids[i]);
  }
  std::printf("\n");
  if (o.quiet) return;
  std::fflush(stdout);
  std::fprintf(
      stderr,
      "[%s; prompt %lld tokens at %.0f/s, %zu generated at %.1f/s; %s kernels, %d threads]\n",
      std::string(to_string(result.stop)).c_str(), static_cast<long long>(result.prompt_tokens),
      result.prefill_tokens_per_second(), result.ids.size(), result.decode_tokens_per_second(),
      std::string(engine.kernels()).c_str(), engine.threads());
}

void run(const RunOptions& o) {
  const Model model = load(o.model);
  GenerateOptions options = generation_options(o.generation);
  // A greedy answer is the default where nobody recommends to sample.
  const auto sampled = model.sampling.find("do_sample");
  if (sampled != model.sampling.end() && sampled->second != 0)
    take_recommendations(model.sampling, o.generation, o.quiet, options.sampling);
  const CatchInterrupt guard(CatchInterrupt::Second::ends_the_process);
  options.interrupted = CatchInterrupt::caught;
  const std::vector<TokenId> prompt = prompt_ids(model, o);
  const int64_t needed = static_cast<int64_t>(prompt.size()) + options.max_tokens;
  Engine engine(model.graph, model.weights,
                engine_options(o.model, model, std::max<int64_t>(needed, 1)));
  Generator generator(engine, model.tokenizer.get(), model.end_tokens);
  const bool stream = !o.json && !o.ids;
  const Generation result = generator.generate(prompt, options, [&](std::string_view text) {
    if (stream) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
    }
    return true;
  });
  print(o, prompt, result, engine);
  if (result.stop == StopReason::interrupted) throw Exit{kInterrupted};
}

}  // namespace

void add_run(CLI::App& app) {
  auto o = std::make_shared<RunOptions>();
  CLI::App* command =
      app.add_subcommand("run", "complete a text, or answer a question with --chat");
  add_model_options(*command, o->model, true);
  command
      ->add_option("prompt", o->prompt,
                   "text to go on from; special tokens written in it are recognised")
      ->type_name("PROMPT");
  command->add_option("--prompt-file", o->prompt_file, "read the prompt from a file")
      ->type_name("F");
  command->add_flag("--chat", o->chat,
                    "the prompt is a user's message: apply the model's chat template");
  command->add_option("--system", o->system, "system message for --chat")
      ->type_name("TEXT")
      ->needs("--chat");
  add_variable_option(*command, o->variables)->needs("--chat");
  command->add_flag("--ids", o->ids, "print the generated token ids instead of text");
  command->add_flag("--json", o->json, "print prompt_ids, ids, text and speeds as JSON");
  command->add_flag("--quiet", o->quiet, "no line about speed on stderr");
  o->generation.options.max_tokens = 128;
  add_generation_options(*command, o->generation);
  command->callback([o] {
    if (o->prompt.empty() == o->prompt_file.empty() && !o->prompt_file.empty()) {
      fail(ErrorKind::invalid, "expected either PROMPT or --prompt-file, found both");
    }
    run(*o);
  });
}

}  // namespace ashlar::app
