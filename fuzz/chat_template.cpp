// Chat templates that nobody vouches for: the source, then after a zero byte messages in JSON. They
// render or fail with an Error, and the pieces make up the same text.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "text/chat_template.h"

namespace {

ashlar::Json default_messages() {
  return {{{"role", "system"}, {"content", "Be brief."}},
          {{"role", "user"}, {"content", "Hé <|x|>"}},
          {{"role", "assistant"},
           {"content", nullptr},
           {"tool_calls", {{{"name", "f"}, {"arguments", {{"a", 1.5}}}}}}},
          {{"role", "user"}, {"content", {{{"type", "text"}, {"text", "q"}}}}}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t cut = std::min(bytes.find('\0'), bytes.size());
  ashlar::ChatTemplateInput input;
  input.variables = {{"bos_token", "<s>"}, {"n", 3}, {"l", {3, 1, 2}}};
  input.now = 0;
  try {
    const ashlar::ChatTemplate chat(bytes.substr(0, cut), "fuzz");
    input.messages = cut < bytes.size() ? ashlar::parse_json(bytes.substr(cut + 1), "messages")
                                        : default_messages();
    const std::string text = chat.render(input);
    std::string joined;
    for (const ashlar::Piece& piece : chat.render_pieces(input)) joined += piece.text;
    if (joined != text) std::abort();
  } catch (const ashlar::Error&) {
  }
  return 0;
}
