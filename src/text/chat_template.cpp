// Messages in, text out: the variables of a chat template, the message that goes on, and the text's
// origin.
#include "text/chat_template.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "base/character_runs.h"
#include "base/error.h"
#include "base/utf8.h"
#include "jinja/template.h"
#include "jinja/unicode.h"

namespace ashlar {
namespace {

using jinja::from_json;
using jinja::Value;

constexpr std::array kReasoning = {"reasoning_content", "thinking", "reasoning"};
// Where Transformers marks the end of the message that goes on; the space tells whether the
// template cut white space there.
constexpr std::string_view kTag = "CONTINUE_FINAL_MESSAGE_TAG ";

bool plain_word(std::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (!(byte < 0x80 && std::isalnum(byte)) && c != '_' && c != '-') return false;
  }
  return true;
}

std::string_view without_space_behind(std::string_view text) {
  return text.substr(0, utf8::begin_of_run(text, 0, text.size(), jinja::is_space));
}

std::string_view stripped(std::string_view text) {
  return without_space_behind(text.substr(utf8::end_of_run(text, 0, jinja::is_space)));
}

void check_objects(const char* name, const Json& list) {
  if (list.is_null()) return;
  if (!list.is_array())
    throw jinja::Failure{fmt::format("{}: expected a list, found {}", name, list.type_name())};
  for (const Json& item : list) {
    if (!item.is_object()) {
      throw jinja::Failure{fmt::format("{}: expected objects, found {}", name, item.type_name())};
    }
  }
}

// Messages as Transformers hands them on: without keys whose value is null, and with their
// reasoning under every name that templates know.
Json normalized(const Json& messages) {
  check_objects("messages", messages);
  if (!messages.is_array() || messages.empty())
    throw jinja::Failure{"messages: expected a list of at least one message"};
  Json out = Json::array();
  for (const Json& message : messages) {
    Json kept = Json::object();
    const Json* reasoning = nullptr;
    for (const char* name : kReasoning) {
      const auto found = message.find(name);
      if (!reasoning && found != message.end() && !found->is_null()) reasoning = &*found;
    }
    if (reasoning) kept["thinking"] = *reasoning;
    for (const auto& [key, value] : message.items()) {
      if (!value.is_null()) kept[key] = value;
    }
    if (reasoning) kept["reasoning_content"] = *reasoning;
    out.push_back(std::move(kept));
  }
  return out;
}

// Marks the end of `field` of the last message; the text before it.
std::string mark_end(Json& message, const std::string& field, std::string_view source) {
  const auto found = message.find(field);
  if (found == message.end()) {
    throw jinja::Failure{fmt::format("the last message has no \"{}\" to go on with", field)};
  }
  const Json final = *found;
  std::vector<std::string> fields = {field};
  if (std::find(kReasoning.begin(), kReasoning.end(), field) != kReasoning.end()) {
    fields.assign(kReasoning.begin(), kReasoning.end());
    std::erase_if(fields, [&](const std::string& name) {
      return !message.contains(name) || message[name] != final;
    });
  }
  if (std::none_of(fields.begin(), fields.end(), [&](const std::string& name) {
        return source.find(name) != std::string_view::npos;
      })) {
    throw jinja::Failure{
        fmt::format("going on with \"{}\": the chat template does not read it", field)};
  }
  if (final.is_string()) {
    for (const std::string& name : fields)
      message[name] = final.get<std::string>() + std::string(kTag);
    return final.get<std::string>();
  }
  if (final.is_array()) {
    Json& blocks = message[field];
    for (size_t i = blocks.size(); i-- > 0;) {
      const auto text = blocks[i].is_object() ? blocks[i].find("text") : blocks[i].end();
      if (!blocks[i].is_object() || text == blocks[i].end() || !text->is_string()) continue;
      const std::string before = text->get<std::string>();
      *text = before + std::string(kTag);
      return before;
    }
  }
  throw jinja::Failure{
      fmt::format("\"{}\" of the last message holds no text to go on with", field)};
}

// Cuts the rendered text where the message that goes on ends.
void cut_at_tag(std::string& text, std::vector<jinja::Span>& from_values, std::string_view final,
                std::string_view where) {
  const std::string_view tag = kTag.substr(0, kTag.size() - 1);
  const size_t at = text.rfind(tag);
  if (at == std::string::npos || text.find(stripped(final)) == std::string::npos) {
    fail(ErrorKind::invalid,
         "{}: the last message, which is to go on, does not appear as it stands in the rendered "
         "text: "
         "the chat template leaves out or changes a part of it",
         where);
  }
  const bool spaced = text.compare(at, kTag.size(), kTag) == 0;
  text.resize(at);
  if (!spaced) text.resize(without_space_behind(text).size());
  std::erase_if(from_values, [&](const jinja::Span& span) { return span.begin >= text.size(); });
  if (!from_values.empty()) from_values.back().end = std::min(from_values.back().end, text.size());
}

bool names_tokens(std::string_view name) {
  return name.ends_with("_token") || name.ends_with("_tokens");
}

std::tm local_time(std::optional<int64_t> given) {
  const std::time_t now = given ? static_cast<std::time_t>(*given) : std::time(nullptr);
  std::tm out{};
  localtime_r(&now, &out);
  return out;
}

}  // namespace

struct ChatTemplate::Impl {
  Impl(std::string_view given, std::string where)
      : source(given), program(given, std::move(where)) {
    for (const std::string& text : program.literals()) own_text += text + '\0';
  }

  std::string source, own_text;
  jinja::Template program;

  std::string render(const ChatTemplateInput& input, std::vector<jinja::Span>& from_values) const;
};

ChatTemplate::ChatTemplate(std::string_view source, std::string where)
    : impl_(std::make_unique<Impl>(source, std::move(where))) {}
ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

const std::string& ChatTemplate::own_text() const { return impl_->own_text; }

std::string ChatTemplate::Impl::render(const ChatTemplateInput& input,
                                       std::vector<jinja::Span>& from_values) const {
  std::string final;
  const auto define = [&](jinja::Interpreter& interpreter) {
    check_objects("tools", input.tools);
    check_objects("documents", input.documents);
    if (!input.variables.is_null() && !input.variables.is_object()) {
      throw jinja::Failure{
          fmt::format("variables: expected an object, found {}", input.variables.type_name())};
    }
    Json messages = normalized(input.messages);
    if (input.continued_field) {
      if (input.add_generation_prompt)
        throw jinja::Failure{"a new turn cannot begin where the last message goes on"};
      final = mark_end(messages.back(), *input.continued_field, source);
    }
    for (const auto& [name, value] : input.variables.items())
      interpreter.define(name, from_json(value, names_tokens(name)));
    std::vector<Value> list;
    for (const Json& message : messages) {
      auto dict = std::make_shared<jinja::Dict>();
      for (const auto& [key, value] : message.items()) {
        const bool role =
            key == "role" && value.is_string() && plain_word(value.get_ref<const std::string&>());
        dict->set(from_json(key, false), from_json(value, role));
      }
      list.push_back(Value::dict(std::move(dict)));
    }
    interpreter.define("messages", Value::list(std::move(list)));
    interpreter.define("tools", from_json(input.tools, false));
    interpreter.define("documents", from_json(input.documents, false));
    interpreter.define("add_generation_prompt", Value::boolean(input.add_generation_prompt));
  };
  std::string text;
  program.render(
      define, [&input] { return local_time(input.now); }, text, from_values);
  if (input.continued_field) cut_at_tag(text, from_values, final, program.where());
  return text;
}

std::string ChatTemplate::render(const ChatTemplateInput& input) const {
  std::vector<jinja::Span> from_values;
  return impl_->render(input, from_values);
}

std::vector<Piece> ChatTemplate::render_pieces(const ChatTemplateInput& input) const {
  std::vector<jinja::Span> from_values;
  const std::string text = impl_->render(input, from_values);
  std::vector<Piece> pieces;
  size_t done = 0;
  const auto add = [&](size_t end, bool trusted) {
    if (done < end) pieces.push_back({text.substr(done, end - done), trusted});
    done = std::max(done, end);
  };
  for (const auto& span : from_values) {
    add(span.begin, true);
    add(span.end, false);
  }
  add(text.size(), true);
  return pieces;
}

}  // namespace ashlar
