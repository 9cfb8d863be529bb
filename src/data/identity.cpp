// Over pieces, as vocabularies spell them.
#include "data/identity.h"

#include "base/hash.h"
#include "text/bpe.h"

namespace ashlar {
namespace {

/// Words, numbers, white space, scripts and code: what pre-tokenizers differ in.
constexpr const char* kProbe =
    "It's 1234567 o'clock, isn't it?  I'LL   pay 3.14 EUR\n\n\tfor(int i=0;i<10;++i) {a_b->c();}"
    "\r\n \n  Grüße aus Köln, señor! Ελληνικά русский текст "
    "世界你好 こんにちは 한국어 العربية "
    "हिन्दी \U0001F469\u200D\U0001F467 e\u0301 \uFB01 \u00BD \u00B2 "
    "--- *** https://example.org/a?b=c#d <tag> 100%";

constexpr std::string_view kMark = "\xE2\x96\x81";  // SentencePiece's space

}  // namespace

std::string fingerprint_of(const Tokenizer& tokenizer) {
  std::string all;
  for (TokenId id = 0; id < tokenizer.size(); ++id) {
    all += tokenizer.piece(id);
    all += '\0';
  }
  for (const TokenId id : tokenizer.encode(kProbe, {.add_special = true, .parse_special = false}))
    all += std::to_string(id) + " ";
  return hex(xxh64(std::as_bytes(std::span(all))));
}

std::vector<int32_t> bytes_of_tokens(const Tokenizer& tokenizer) {
  bool byte_level = false;
  for (const TokenId id : tokenizer.encode("a a", {.add_special = false}))
    byte_level = byte_level || tokenizer.piece(id).find("\xC4\xA0") != std::string::npos;  // Ġ
  std::vector<int32_t> bytes(static_cast<size_t>(tokenizer.size()), 0);
  for (TokenId id = 0; id < tokenizer.size(); ++id) {
    if (tokenizer.is_special(id)) continue;
    const std::string piece = tokenizer.piece(id);
    size_t n = piece.size();
    if (byte_level) {
      if (const auto spelled = alphabet_to_bytes(piece)) n = spelled->size();
    } else if (piece.size() == 6 && piece.starts_with("<0x") && piece.ends_with('>')) {
      n = 1;
    } else {
      for (size_t at = piece.find(kMark); at != std::string::npos;
           at = piece.find(kMark, at + kMark.size()))
        n -= kMark.size() - 1;
    }
    bytes[static_cast<size_t>(id)] = static_cast<int32_t>(n);
  }
  return bytes;
}

}  // namespace ashlar
