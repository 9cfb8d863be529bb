// ashlar render: messages through a model's chat template.
#include <cstdio>

#include "apps/commands.h"
#include "base/error.h"
#include "base/json.h"
#include "text/chat_template.h"
#include "text/exact_json.h"

namespace ashlar::app {
namespace {

struct RenderOptions {
  std::string model, messages, tools, file;
  std::vector<std::string> variables;
  bool no_generation_prompt = false;
};

void render(const RenderOptions& o) {
  const TextModel text = load_text(o.model);
  const std::string source = o.file.empty() ? text.chat_template : read_file(o.file);
  if (o.file.empty() && source.empty()) {
    fail(ErrorKind::unsupported, "{}: has no chat template; give one with --template F.jinja",
         o.model);
  }
  ChatTemplateInput input;
  input.messages = read_exact_json(o.messages);
  if (!input.messages.is_array()) {
    fail(ErrorKind::invalid,
         "{}: expected a JSON list of messages such as [{{\"role\": \"user\", \"content\": "
         "\"Hi\"}}]",
         o.messages);
  }
  if (!o.tools.empty()) input.tools = read_exact_json(o.tools);
  input.variables = text.chat_variables.is_object() ? text.chat_variables : Json::object();
  for (const std::string& item : o.variables) {
    const size_t equals = item.find('=');
    if (equals == std::string::npos || equals == 0) {
      fail(ErrorKind::invalid,
           "--var: expected name=json such as enable_thinking=false, found \"{}\"", item);
    }
    const std::string name = item.substr(0, equals), value = item.substr(equals + 1);
    // What is no JSON is taken as a string, so that --var name=Ada works.
    Json json = value;
    try {
      json = parse_exact_json(value, name);
    } catch (const Error&) {
    }
    if (name == "documents")
      input.documents = std::move(json);
    else
      input.variables[name] = std::move(json);
  }
  input.add_generation_prompt = !o.no_generation_prompt;
  const ChatTemplate chat(source, o.file.empty() ? o.model + " (chat template)" : o.file);
  const std::string out = chat.render(input);
  std::fwrite(out.data(), 1, out.size(), stdout);
}

}  // namespace

void add_render(CLI::App& app) {
  auto o = std::make_shared<RenderOptions>();
  CLI::App* command = app.add_subcommand(
      "render", "print messages as the model's chat template writes them, and nothing else");
  command->add_option("model", o->model, "model, or a folder that holds only tokenizer files")
      ->required()
      ->type_name("MODEL");
  command->add_option("--messages", o->messages, "JSON list of {\"role\", \"content\"}")
      ->required()
      ->type_name("F.json");
  command->add_option("--tools", o->tools, "JSON list of tools")->type_name("F.json");
  command->add_option("--template", o->file, "template to use instead of the model's own")
      ->type_name("F.jinja");
  command
      ->add_option("--var", o->variables,
                   "a further variable of the template; may be given several times")
      ->type_name("NAME=JSON");
  command->add_flag("--no-generation-prompt", o->no_generation_prompt,
                    "do not open the assistant's turn");
  command->callback([o] { render(*o); });
}

}  // namespace ashlar::app
