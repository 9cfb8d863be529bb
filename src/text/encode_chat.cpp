// Ids of a rendered chat.
#include "base/utf8.h"
#include "text/added_tokens.h"
#include "text/chat_template.h"

namespace ashlar {

std::vector<TokenId> encode_chat(const Tokenizer& tokenizer, const std::vector<Piece>& pieces,
                                 std::string_view control_text) {
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
  return tokenizer.encode_trusting(text, trusted, control_text);
}

}  // namespace ashlar
