// ashlar render: messages through a model's chat template.
#include <cstdio>

#include "apps/commands.h"
#include "apps/sampling_options.h"
#include "base/error.h"
#include "base/json.h"
#include "generate/prompt.h"
#include "jinja/exact_json.h"

namespace ashlar::app {
namespace {

struct RenderOptions {
  std::string model, messages, tools, file;
  std::vector<std::string> variables;
  bool no_generation_prompt = false, continues = false;
};

void render(const RenderOptions& o) {
  const TextModel model = load_text(o.model);
  if (o.file.empty() && !has_chat_template(model)) {
    fail(ErrorKind::unsupported, "{}: has no chat template; give one with --template F.jinja",
         o.model);
  }
  ChatRequest request;
  request.messages = read_exact_json(o.messages);
  check_messages(request.messages, o.messages);
  if (!o.tools.empty()) request.tools = read_exact_json(o.tools);
  request.add_generation_prompt = !o.no_generation_prompt;
  if (o.continues) request.continued_field = "content";
  for (const std::string& item : o.variables) request.set_variable(item);
  std::optional<std::string> own;
  if (!o.file.empty()) own = read_file(o.file);
  const std::string out = ChatPrompt(model, std::move(own), o.file).text(request);
  std::fwrite(out.data(), 1, out.size(), stdout);
}

}  // namespace

void add_render(CLI::App& app) {
  auto [command, o] =
      add_command(app, "render", render,
                  "print messages as the model's chat template writes them, and nothing else");
  add_value(command, "model", o.model, "MODEL",
            "model, or a folder that holds only tokenizer files")
      ->required();
  add_value(command, "--messages", o.messages, "F.json", "JSON list of {\"role\", \"content\"}")
      ->required();
  add_value(command, "--tools", o.tools, "F.json", "JSON list of tools");
  add_value(command, "--template", o.file, "F.jinja", "template to use instead of the model's own");
  add_variable_option(command, o.variables);
  command.add_flag("--no-generation-prompt", o.no_generation_prompt,
                   "do not open the assistant's turn");
  command
      .add_flag("--continue", o.continues,
                "end where the content of the last message does, for the model to go on with")
      ->excludes("--no-generation-prompt");
}

}  // namespace ashlar::app
