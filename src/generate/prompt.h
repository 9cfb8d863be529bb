// Messages to the text and the ids that a model reads: what `run`, `chat`, `render` and servers
// share.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/model.h"
#include "text/chat_template.h"

namespace ashlar {

/// The model's tokenizer. Throws Error(unsupported) where it has none, and says why.
const Tokenizer& tokenizer_of(const TextModel& model);

/// The text of ids. Throws Error(invalid) for an id that the tokenizer does not have.
std::string decoded(const Tokenizer& tokenizer, std::span<const TokenId> ids, bool skip_special);

bool has_chat_template(const TextModel& model);

/// A chat for the model to continue; its variables override the model's own.
struct ChatRequest : ChatTemplateInput {
  std::string system;  // a system message before the others; empty: none

  /// NAME=VALUE: a variable of the template. VALUE is JSON, or else a string as it stands; NAME
  /// alone is true. `tools`, `documents` and `add_generation_prompt` set the members of that name.
  /// Throws Error(invalid).
  void set_variable(std::string_view assignment);
};

/// A model's chat templates. With tools given, the one for their use; templates are parsed when
/// they are first needed. Any number of threads may use one at a time.
class ChatPrompt {
 public:
  /// `model` outlives this. `own`: the source of a template instead of the model's, `where` names
  /// it. Throws Error(unsupported) where there is no template at all.
  explicit ChatPrompt(const TextModel& model, std::optional<std::string> own = std::nullopt,
                      std::string where = "");

  /// Throws Error, as ChatTemplate::render does.
  std::string text(const ChatRequest& request) const;
  /// The ids of that text. Control words in messages stay text (encode_chat).
  std::vector<TokenId> ids(const ChatRequest& request) const;

 private:
  const ChatTemplate& chosen(const ChatRequest& request) const;
  ChatTemplateInput input(const ChatRequest& request) const;

  const TextModel& model_;
  std::optional<std::string> own_;
  std::string where_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, ChatTemplate> parsed_;  // by source
};

}  // namespace ashlar
