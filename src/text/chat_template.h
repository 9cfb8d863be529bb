// Chat templates: messages to the text that a model was trained on, by the Jinja that its files
// carry.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"

namespace ashlar {

/// What Transformers' apply_chat_template takes. Integers beyond 64 bits: jinja/exact_json.h.
struct ChatTemplateInput {
  /// List of {"role": ..., "content": ...}, at least one; null values count as absent.
  Json messages = Json::array();
  Json tools;      // list of JSON schemas; null: none
  Json documents;  // list of objects; null: none
  bool add_generation_prompt = true;
  /// Instead of a new turn: the text ends where this field of the last message ("content",
  /// "reasoning_content") does, so that the model goes on with it. Not with add_generation_prompt.
  std::optional<std::string> continued_field;
  Json variables = Json::object();  // bos_token, eos_token, enable_thinking, ...
  std::optional<int64_t> now;  // what strftime_now tells, seconds since 1970; absent: the clock
};

/// Text of one origin. What the template wrote and the model's own tokens (variables named *_token
/// or *_tokens) are trusted, and so are roles that are plain words; everything else that messages,
/// tools, documents and variables hold is not.
struct Piece {
  std::string text;
  bool trusted;
};

/// Renders exactly as Jinja2's immutable sandbox with Transformers' settings does, within bounds of
/// time, memory and depth. Immutable; any number of threads may use one at a time.
class ChatTemplate {
 public:
  /// `where` names the template in errors. Throws Error(format or unsupported) with the line.
  ChatTemplate(std::string_view source, std::string where);
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  /// Throws Error(invalid, resource or unsupported) with the line; what a template raises itself
  /// (raise_exception) is the end of the message.
  std::string render(const ChatTemplateInput& input) const;
  /// The same text, cut where the origin changes; no piece is empty.
  std::vector<Piece> render_pieces(const ChatTemplateInput& input) const;
  /// What the template itself writes: its text and string literals, apart by zero bytes.
  const std::string& own_text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The ids of the pieces' whole text, nothing added. A special token, or an added token that the
/// template writes itself (ChatTemplate::own_text), is recognised only where all of it is trusted;
/// other added tokens wherever they stand, as in Transformers with sanitize_control_tokens.
std::vector<TokenId> encode_chat(const Tokenizer& tokenizer, const std::vector<Piece>& pieces,
                                 std::string_view control_text);

}  // namespace ashlar
