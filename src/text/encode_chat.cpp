// Ids of a rendered chat.
#include "text/added_tokens.h"
#include "text/chat_template.h"
#include "text/utf8.h"

namespace ashlar {

std::vector<TokenId> encode_chat(const Tokenizer& tokenizer, const std::vector<Piece>& pieces,
                                 bool parse_special_in_messages) {
  std::string text;
  std::vector<TextRange> trusted;
  for (const Piece& piece : pieces) {
    const size_t begin = text.size();
    text += utf8::valid_prefix(piece.text) == piece.text.size() ? piece.text
                                                                : utf8::repaired(piece.text);
    if (!piece.trusted || text.size() == begin) continue;
    if (!trusted.empty() && trusted.back().end == begin)
      trusted.back().end = text.size();
    else
      trusted.push_back({begin, text.size()});
  }
  EncodeOptions options;
  options.add_special = false;
  if (parse_special_in_messages) return tokenizer.encode(text, options);
  return tokenizer.encode_trusting(text, trusted);
}

}  // namespace ashlar
