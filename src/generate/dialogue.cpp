// Prompts of conversations, and the turns that give way.
#include "generate/dialogue.h"

#include <algorithm>

#include "base/error.h"

namespace ashlar {
namespace {

bool has_role(const Json& message, std::string_view role) {
  return text_at(message, "role") == role;
}

/// Messages before the first turn: system, developer.
size_t first_turn(const Json& messages) {
  size_t at = 0;
  while (at < messages.size() &&
         (has_role(messages[at], "system") || has_role(messages[at], "developer")))
    ++at;
  return at;
}

void check_messages(const Json& messages) {
  const auto is_message = [](const Json& m) { return m.is_object() && m.contains("role"); };
  if (!messages.is_array() || !std::all_of(messages.begin(), messages.end(), is_message)) {
    fail(ErrorKind::invalid,
         "expected a JSON list of messages such as [{{\"role\": \"user\", \"content\": \"Hi\"}}]");
  }
}

}  // namespace

Dialogue::Dialogue(Engine& engine, const TextModel& model, ChatRequest request)
    : engine_(engine),
      model_(model),
      request_(std::move(request)),
      prompt_(model),
      generator_(engine, &tokenizer_of(model), model.end_tokens),
      marks_(model) {
  check_messages(request_.messages);
  if (const std::string system = std::exchange(request_.system, ""); !system.empty())
    set_system(system);
}

void Dialogue::forget_answer() {
  unseen_ = std::min(unseen_, request_.messages.size() - first_turn(request_.messages));
  splitter_.reset();
  answer_ids_.clear();
  raw_.clear();
}

void Dialogue::set_messages(Json messages) {
  check_messages(messages);
  request_.messages = std::move(messages);
  unseen_ = 0;
  forget_answer();
}

void Dialogue::set_system(const std::string& text) {
  system_ = text;
  Json messages = Json::array();
  if (!text.empty()) messages.push_back({{"role", "system"}, {"content", text}});
  set_messages(std::move(messages));
}

void Dialogue::clear() { set_system(system_); }

bool Dialogue::undo() {
  Json& messages = request_.messages;
  size_t last = messages.size();
  while (last > 0 && !has_role(messages[last - 1], "user")) --last;
  if (last == 0) return false;
  messages.erase(messages.begin() + static_cast<int64_t>(last) - 1, messages.end());
  forget_answer();
  return true;
}

bool Dialogue::take_back_answer() {
  Json& messages = request_.messages;
  if (messages.empty() || !has_role(messages.back(), "assistant")) return false;
  messages.erase(messages.size() - 1);
  forget_answer();
  return true;
}

Json Dialogue::seen() const {
  Json messages = request_.messages;
  const auto first = static_cast<int64_t>(first_turn(messages));
  messages.erase(messages.begin() + first,
                 messages.begin() + first + static_cast<int64_t>(unseen_));
  return messages;
}

/// The oldest turn that is seen, up to the next question, gives way; false: it is the last one.
bool Dialogue::give_way() {
  const Json& messages = request_.messages;
  const size_t from = first_turn(messages) + unseen_;
  for (size_t next = from + 1; next < messages.size(); ++next) {
    if (!has_role(messages[next], "user")) continue;
    unseen_ += next - from;
    return true;
  }
  return false;
}

/// The prompt, with `after` more tokens behind it and room for `room`: if turns have to give way,
/// then so many that half of the context is free, for the next turns.
std::vector<TokenId> Dialogue::prompt_ids(size_t after, size_t room, DialogueAnswer& out) {
  const auto context = static_cast<size_t>(engine_.context());
  ChatRequest request = request_;
  size_t allowed = context - std::min(room, context);
  for (;;) {
    request.messages = seen();
    std::vector<TokenId> ids = prompt_.ids(request);
    if (ids.size() + after <= allowed || !give_way()) {
      out.unseen = static_cast<int64_t>(unseen_);
      return ids;
    }
    out.gave_way = true;
    allowed = std::min(allowed, context / 2);
  }
}

/// As the model's template takes it: reasoning in a field of its own, where the template knows one.
Json Dialogue::assistant_message() const {
  const std::string& reasoning = splitter_->reasoning();
  Json message = {{"role", "assistant"}, {"content", splitter_->answer()}};
  if (reasoning.empty()) return message;
  const bool apart = model_.chat_template.find("reasoning_content") != std::string::npos;
  const bool thinking = model_.chat_template.find("message.thinking") != std::string::npos ||
                        model_.chat_template.find("\"thinking\"") != std::string::npos ||
                        model_.chat_template.find("'thinking'") != std::string::npos;
  if (apart) message["reasoning_content"] = reasoning;
  if (thinking) message["thinking"] = reasoning;
  if (!apart && !thinking) message["content"] = raw_;
  return message;
}

DialogueAnswer Dialogue::generate(const std::vector<TokenId>& prompt,
                                  const GenerateOptions& options, const OnSpoken& on_spoken,
                                  DialogueAnswer out) {
  if (static_cast<int64_t>(prompt.size()) > engine_.context()) {
    fail(ErrorKind::invalid,
         "the message needs {} tokens, the context holds {}: a shorter one, or a larger `context`",
         prompt.size(), engine_.context());
  }
  GenerateHooks hooks{.shown = marks_.special(), .after = answer_ids_, .progress = progress_};
  const size_t before = answer_ids_.size();
  hooks.shorten = [&](int64_t generated) {
    // Turns that give way make room; without them the generation ends.
    const size_t unseen = unseen_;
    auto ids = prompt_ids(before + static_cast<size_t>(generated), 1, out);
    if (unseen == unseen_) return std::vector<TokenId>();
    ids.insert(ids.end(), answer_ids_.begin(), answer_ids_.end());
    return ids;
  };
  const auto say = [&](const std::vector<Spoken>& pieces) {
    bool wanted = true;
    for (const Spoken& piece : pieces) wanted = wanted && (!on_spoken || on_spoken(piece));
    return wanted;
  };
  const auto on_text = [&](std::string_view text) {
    raw_ += text;
    return say(splitter_->push(text));
  };
  out.generation = generator_.generate(prompt, options, on_text, hooks);
  say(splitter_->finish());
  std::vector<TokenId> ids = out.generation.ids;
  if (out.generation.stop == StopReason::end_token) ids.pop_back();
  answer_ids_.insert(answer_ids_.end(), ids.begin(), ids.end());
  out.answer = splitter_->answer();
  out.reasoning = splitter_->reasoning();
  out.unseen = static_cast<int64_t>(unseen_);
  return out;
}

DialogueAnswer Dialogue::ask(const std::string& question, const GenerateOptions& options,
                             const OnSpoken& on_spoken) {
  request_.messages.push_back({{"role", "user"}, {"content", question}});
  return answer(options, on_spoken);
}

DialogueAnswer Dialogue::answer(const GenerateOptions& options, const OnSpoken& on_spoken) {
  forget_answer();
  DialogueAnswer out;
  const auto take_back = [&] {
    Json& messages = request_.messages;
    if (!messages.empty() && has_role(messages.back(), "user")) messages.erase(messages.size() - 1);
    forget_answer();
  };
  try {
    const int64_t room = std::max<int64_t>(1, std::min(options.max_tokens, engine_.context() / 4));
    const std::vector<TokenId> prompt = prompt_ids(0, static_cast<size_t>(room), out);
    splitter_.emplace(marks_, marks_.open_after(*model_.tokenizer, prompt));
    out = generate(prompt, options, on_spoken, std::move(out));
  } catch (...) {
    take_back();
    throw;
  }
  if (out.generation.stop == StopReason::interrupted && out.generation.ids.empty()) {
    take_back();
    out.taken_back = true;
    return out;
  }
  request_.messages.push_back(assistant_message());
  return out;
}

DialogueAnswer Dialogue::go_on(const GenerateOptions& options, const OnSpoken& on_spoken) {
  Json& messages = request_.messages;
  if (messages.empty() || !has_role(messages.back(), "assistant"))
    fail(ErrorKind::invalid, "there is no answer to go on with");
  DialogueAnswer out;
  const Json last = messages.back();
  if (splitter_) {
    // Behind the very tokens that were generated.
    messages.erase(messages.size() - 1);
    try {
      std::vector<TokenId> prompt = prompt_ids(answer_ids_.size(), 1, out);
      prompt.insert(prompt.end(), answer_ids_.begin(), answer_ids_.end());
      out = generate(prompt, options, on_spoken, std::move(out));
    } catch (...) {
      messages.push_back(last);
      throw;
    }
    messages.push_back(assistant_message());
    return out;
  }
  // A message that was given: the template ends where it does.
  ChatRequest request = request_;
  request.messages = seen();
  request.continued_field = "content";
  const std::vector<TokenId> prompt = prompt_.ids(request);
  splitter_.emplace(marks_, marks_.open_after(*model_.tokenizer, prompt));
  try {
    out = generate(prompt, options, on_spoken, std::move(out));
  } catch (...) {
    forget_answer();
    throw;
  }
  const std::string before = text_at(last, "content");
  messages.back()["content"] = before + out.answer;
  if (!out.reasoning.empty()) messages.back()["reasoning_content"] = out.reasoning;
  forget_answer();
  out.answer = before + out.answer;
  return out;
}

}  // namespace ashlar
