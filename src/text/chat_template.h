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

/// Integers beyond 64 bits: text/exact_json.h.
struct ChatTemplateInput {
  Json messages;   // list of {"role": ..., "content": ...}
  Json tools;      // list of JSON schemas; null: none
  Json documents;  // null: none
  bool add_generation_prompt = true;
  Json variables;              // object: bos_token, eos_token, enable_thinking, ...
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
  /// `where` names the template in errors. Throws Error(format) with the line.
  ChatTemplate(std::string_view source, std::string where);
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  /// Throws Error(invalid, resource or unsupported) with the line; what a template raises itself
  /// (raise_exception) is the end of the message.
  std::string render(const ChatTemplateInput& input) const;
  /// The same text, cut where the origin changes; no piece is empty.
  std::vector<Piece> render_pieces(const ChatTemplateInput& input) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The ids of the pieces' whole text, nothing added. A control token is recognised only where all
/// of it is trusted, unless `parse_special_in_messages`: then as Tokenizer::encode does.
std::vector<TokenId> encode_chat(const Tokenizer& tokenizer, const std::vector<Piece>& pieces,
                                 bool parse_special_in_messages = false);

}  // namespace ashlar
