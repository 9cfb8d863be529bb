// Chooses a chat template, gives it its variables, and encodes what it writes.
#include "generate/prompt.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "jinja/exact_json.h"

namespace ashlar {

const Tokenizer& tokenizer_of(const TextModel& model) {
  // An error of its files names them.
  if (!model.tokenizer && !model.tokenizer_error.empty())
    throw Error(ErrorKind::unsupported, model.tokenizer_error);
  if (!model.tokenizer) fail(ErrorKind::unsupported, "{}: has no tokenizer", model.source);
  return *model.tokenizer;
}

std::string decoded(const Tokenizer& tokenizer, std::span<const TokenId> ids, bool skip_special) {
  for (const TokenId id : ids) {
    if (tokenizer.piece(id).empty())
      fail(ErrorKind::invalid, "token id {}: the tokenizer has no such token, its ids end at {}",
           id, tokenizer.size() - 1);
  }
  return tokenizer.decode(ids, skip_special);
}

bool has_chat_template(const TextModel& model) {
  return !model.chat_template.empty() || !model.chat_template_names.empty();
}

void ChatRequest::set_variable(std::string_view assignment) {
  const size_t equals = std::min(assignment.find('='), assignment.size());
  const std::string name(assignment.substr(0, equals));
  if (name.empty() || name == "messages") {
    fail(ErrorKind::invalid,
         "expected a variable of the chat template such as enable_thinking=false, found \"{}\"",
         assignment);
  }
  Json value = true;
  if (equals < assignment.size()) {
    const std::string text(assignment.substr(equals + 1));
    try {
      value = parse_exact_json(text, name);
    } catch (const Error&) {
      value = text;
    }
  }
  if (name == "tools") {
    tools = std::move(value);
  } else if (name == "documents") {
    documents = std::move(value);
  } else if (name == "add_generation_prompt") {
    if (!value.is_boolean())
      fail(ErrorKind::invalid, "{}: expected true or false, found {}", name, value.dump());
    add_generation_prompt = value.get<bool>();
  } else {
    variables[name] = std::move(value);
  }
}

ChatPrompt::ChatPrompt(const TextModel& model, std::optional<std::string> own, std::string where)
    : model_(model), own_(std::move(own)), where_(std::move(where)) {
  if (!own_ && !has_chat_template(model))
    fail(ErrorKind::unsupported, "{}: has no chat template (a base model?)", model.source);
}

const ChatTemplate& ChatPrompt::chosen(const ChatRequest& request) const {
  const bool for_tools = !request.tools.is_null() && !model_.tool_chat_template.empty();
  const std::string& source = own_        ? *own_
                              : for_tools ? model_.tool_chat_template
                                          : model_.chat_template;
  if (!own_ && source.empty()) {
    fail(ErrorKind::unsupported,
         "{}: has several chat templates ({}) and none of them is the default", model_.source,
         fmt::join(model_.chat_template_names, ", "));
  }
  const std::lock_guard lock(mutex_);
  const auto found = parsed_.find(source);
  if (found != parsed_.end()) return found->second;
  const std::string where =
      own_ ? where_
           : fmt::format("{} (chat template{})", model_.source, for_tools ? " for tools" : "");
  return parsed_.emplace(source, ChatTemplate(source, where)).first->second;
}

ChatTemplateInput ChatPrompt::input(const ChatRequest& request) const {
  if (!request.messages.is_array()) {
    fail(ErrorKind::invalid,
         "messages: expected a JSON list such as [{{\"role\": \"user\", \"content\": \"Hi\"}}]");
  }
  ChatTemplateInput out = request;
  if (!request.system.empty()) {
    const Json system = {{"role", "system"}, {"content", request.system}};
    out.messages.insert(out.messages.begin(), system);
  }
  out.add_generation_prompt = request.add_generation_prompt && !request.continued_field;
  out.variables = model_.chat_variables;
  out.variables.update(request.variables);
  return out;
}

std::string ChatPrompt::text(const ChatRequest& request) const {
  return chosen(request).render(input(request));
}

std::vector<TokenId> ChatPrompt::ids(const ChatRequest& request) const {
  const Tokenizer& tokenizer = tokenizer_of(model_);
  const ChatTemplate& chat = chosen(request);
  return encode_chat(tokenizer, chat.render_pieces(input(request)),
                     model_.control_words.empty() ? chat.own_text() : model_.control_words);
}

}  // namespace ashlar
