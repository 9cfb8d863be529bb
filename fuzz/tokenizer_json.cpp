// Any bytes as a tokenizer.json: an Error or a tokenizer that encodes and decodes, never a crash.
// The text to encode is what follows the last newline; before it stands the file.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/utf8.h"
#include "text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ashlar;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t cut = input.rfind('\n');
  const std::string_view file = input.substr(0, cut);
  const std::string_view text = cut == std::string_view::npos ? "a text" : input.substr(cut + 1);
  try {
    const auto tokenizer = Tokenizer::from_json(file, "fuzz");
    for (const bool parse_special : {true, false}) {
      const auto ids = tokenizer->encode(text, {.parse_special = parse_special});
      for (const bool skip : {true, false}) {
        StreamDecoder stream(*tokenizer, skip);
        std::string streamed;
        for (const TokenId id : ids) streamed += stream.push(id);
        streamed += stream.finish();
        if (streamed != tokenizer->decode(ids, skip)) __builtin_trap();
      }
      for (const TokenId id : ids) tokenizer->piece(id);
    }
  } catch (const Error&) {
  }
  return 0;
}
