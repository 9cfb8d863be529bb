// Messages in, text out: the variables of a chat template, its errors, and the text's origin.
#include "text/chat_template.h"

#include <ctime>

#include "jinja/interpreter.h"
#include "text/exact_json.h"
#include "text/utf8.h"

namespace ashlar {
namespace {

using jinja::Budget;
using jinja::Value;

// More than any template in use comes near; a hostile one stops after some seconds.
constexpr uint64_t kMaxSteps = 100'000'000;
constexpr uint64_t kMaxBytes = uint64_t{512} << 20;
constexpr int kMaxDepth = 1000;
constexpr size_t kMaxSource = size_t{4} << 20;

bool plain_word(std::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (!(byte < 0x80 && std::isalnum(byte)) && c != '_' && c != '-') return false;
  }
  return true;
}

Value to_integer(std::string_view digits) {
  const bool negative = digits.starts_with('-');
  if (negative) digits.remove_prefix(1);
  const jinja::BigInt value = jinja::BigInt::from_digits(digits, 10);
  return Value::integer(negative ? -value : value);
}

Value to_value(const Json& json, bool trusted) {
  const jinja::Deeper deeper;
  Budget::current()->step();
  switch (json.type()) {
    case Json::value_t::boolean:
      return Value::boolean(json.get<bool>());
    case Json::value_t::number_integer:
      return Value::integer(json.get<int64_t>());
    case Json::value_t::number_unsigned: {
      const auto number = json.get<uint64_t>();
      if (number <= INT64_MAX) return Value::integer(static_cast<int64_t>(number));
      return Value::integer(jinja::BigInt::from_digits(std::to_string(number), 10));
    }
    case Json::value_t::number_float:
      return Value::floating(json.get<double>());
    case Json::value_t::string: {
      const std::string text = utf8::repaired(json.get_ref<const std::string&>());
      return trusted ? Value::string(text) : jinja::value_string(text);
    }
    case Json::value_t::array: {
      std::vector<Value> items;
      items.reserve(json.size());
      for (const auto& item : json) items.push_back(to_value(item, trusted));
      return Value::list(std::move(items));
    }
    case Json::value_t::object: {
      auto dict = std::make_shared<jinja::Dict>();
      dict->charge.take(sizeof(jinja::Dict));
      for (const auto& [key, item] : json.items()) {
        dict->set(trusted ? Value::string(key) : jinja::value_string(key), to_value(item, trusted));
      }
      return Value::dict(std::move(dict));
    }
    case Json::value_t::binary:
      return to_integer(*whole_digits(json));
    default:
      return Value();
  }
}

// A message as Transformers hands it on: its reasoning under every name that templates know.
Value to_message(const Json& message) {
  if (!message.is_object()) {
    throw jinja::Failure{fmt::format("a message is not an object but {}", message.type_name())};
  }
  auto dict = std::make_shared<jinja::Dict>();
  dict->charge.take(sizeof(jinja::Dict));
  const Json* reasoning = nullptr;
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    const auto found = message.find(name);
    if (!reasoning && found != message.end() && !found->is_null()) reasoning = &*found;
  }
  if (reasoning) dict->set(jinja::value_string("thinking"), to_value(*reasoning, false));
  for (const auto& [key, value] : message.items()) {
    const bool role =
        key == "role" && value.is_string() && plain_word(value.get_ref<const std::string&>());
    dict->set(jinja::value_string(key), to_value(value, role));
  }
  if (reasoning) dict->set(jinja::value_string("reasoning_content"), to_value(*reasoning, false));
  return Value::dict(std::move(dict));
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
  std::string where;
  // Values of the program give their bytes back to this budget, so it outlives them.
  std::unique_ptr<jinja::Program> program;

  void render(const ChatTemplateInput& input, jinja::Text& out) const;
};

ChatTemplate::ChatTemplate(std::string_view source, std::string where) : impl_(new Impl) {
  impl_->where = std::move(where);
  if (source.size() > kMaxSource) {
    fail(ErrorKind::format, "{}: a template of {} bytes; at most {} are read", impl_->where,
         source.size(), kMaxSource);
  }
  int line = 1;
  try {
    const Budget budget(kMaxSteps, kMaxBytes, kMaxDepth, true);
    impl_->program = jinja::parse(utf8::repaired(source), line);
  } catch (const jinja::Failure& failure) {
    const ErrorKind kind = failure.kind == ErrorKind::invalid ? ErrorKind::format : failure.kind;
    fail(kind, "{}: line {}: {}", impl_->where, line, failure.message);
  }
}

ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

void ChatTemplate::Impl::render(const ChatTemplateInput& input, jinja::Text& out) const {
  jinja::Interpreter interpreter(*program, [&input] { return local_time(input.now); });
  try {
    if (!input.messages.is_array()) {
      throw jinja::Failure{
          fmt::format("messages: expected a list, found {}", input.messages.type_name())};
    }
    if (!input.variables.is_null() && !input.variables.is_object()) {
      throw jinja::Failure{
          fmt::format("variables: expected an object, found {}", input.variables.type_name())};
    }
    for (const auto& [name, value] : input.variables.items()) {
      interpreter.define(name, to_value(value, names_tokens(name)));
    }
    std::vector<Value> messages;
    for (const auto& message : input.messages) messages.push_back(to_message(message));
    interpreter.define("messages", Value::list(std::move(messages)));
    interpreter.define("tools", to_value(input.tools, false));
    interpreter.define("documents", to_value(input.documents, false));
    interpreter.define("add_generation_prompt", Value::boolean(input.add_generation_prompt));
    interpreter.run(out);
  } catch (const jinja::Failure& failure) {
    fail(failure.kind, "{}: line {}: {}{}", where, interpreter.line(),
         failure.raised_by_template ? "the template refuses: " : "", failure.message);
  }
}

std::string ChatTemplate::render(const ChatTemplateInput& input) const {
  const Budget budget(kMaxSteps, kMaxBytes, kMaxDepth);
  jinja::Text out;
  impl_->render(input, out);
  return out.bytes();
}

std::vector<Piece> ChatTemplate::render_pieces(const ChatTemplateInput& input) const {
  const Budget budget(kMaxSteps, kMaxBytes, kMaxDepth);
  jinja::Text out;
  impl_->render(input, out);
  std::vector<Piece> pieces;
  const std::string& text = out.bytes();
  size_t done = 0;
  const auto add = [&](size_t end, bool trusted) {
    if (done < end) pieces.push_back({text.substr(done, end - done), trusted});
    done = std::max(done, end);
  };
  for (const auto& span : out.from_values()) {
    add(span.begin, true);
    add(span.end, false);
  }
  add(text.size(), true);
  return pieces;
}

}  // namespace ashlar
