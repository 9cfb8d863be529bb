// Parsing and typed access.
#include "text/files_json.h"

#include <charconv>

#include "base/error.h"
#include "base/json.h"
#include "base/placeholder.h"
#include "base/regular_file.h"
#include "text/tokenizer_spec.h"

namespace ashlar {

namespace fs = std::filesystem;

PlainJson parse_plain(std::string_view text, std::string_view where) {
  refuse_placeholder(text, where);
  if (json_depth(text) > 64) fail(ErrorKind::format, "{}: JSON nested too deeply", where);
  try {
    return PlainJson::parse(text.begin(), text.end());
  } catch (const PlainJson::exception& e) {
    fail_json(where, e.what());
  }
}

std::optional<PlainJson> read_optional(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return std::nullopt;
  PlainJson json = parse_plain(read_regular_file(file, size_t{1} << 28), file.string());
  if (!json.is_object()) fail(ErrorKind::format, "{}: expected an object", file.string());
  return json;
}

std::vector<std::string> keys_in_order(const fs::path& file, std::string_view inner) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return {};
  const std::string text = read_regular_file(file, size_t{1} << 28);
  std::vector<std::string> keys;
  std::string outer;
  const auto note = [&](int depth, PlainJson::parse_event_t event, const PlainJson& value) {
    if (event != PlainJson::parse_event_t::key) return true;
    const auto& key = value.get_ref<const std::string&>();
    if (depth == 1) outer = key;
    if (inner.empty() ? depth == 1 : depth == 2 && outer == inner) keys.push_back(key);
    return true;
  };
  // Whether it is JSON at all, read_optional has told.
  const PlainJson parsed = PlainJson::parse(text, note, false, true);
  return keys;
}

int64_t number_at(const PlainJson& object, const char* key, int64_t otherwise) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer()) return otherwise;
  if (found->is_number_unsigned() && found->get<uint64_t>() > INT32_MAX) return -1;
  return found->get<int64_t>();
}

bool flag_at(const PlainJson& object, const char* key, bool otherwise) {
  const auto found = object.find(key);
  return found != object.end() && found->is_boolean() ? found->get<bool>() : otherwise;
}

AddedToken added_token_of(const PlainJson& value) {
  AddedToken token;
  token.content = text_at(value, "content");
  token.special = flag_at(value, "special", false);
  token.normalized = flag_at(value, "normalized", !token.special);
  token.lstrip = flag_at(value, "lstrip", false);
  token.rstrip = flag_at(value, "rstrip", false);
  token.single_word = flag_at(value, "single_word", false);
  return token;
}

void read_added(const PlainJson& config, std::string_view where,
                const std::function<void(int64_t, AddedToken)>& use) {
  const auto decoder = config.find("added_tokens_decoder");
  if (decoder == config.end() || !decoder->is_object()) return;
  for (const auto& [key, value] : decoder->items()) {
    int64_t id = -1;
    const auto end = key.data() + key.size();
    if (std::from_chars(key.data(), end, id).ptr != end || id < 0 || id > kMaxTokenId ||
        !value.is_object()) {
      fail(ErrorKind::format, "{}: added_tokens_decoder: entry \"{}\" is not a token", where,
           key.substr(0, 80));
    }
    use(id, added_token_of(value));
  }
}

}  // namespace ashlar
