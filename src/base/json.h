// JSON with the order of keys kept, read from text that nobody vouches for.
#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <string_view>

namespace ashlar {

using Json = nlohmann::ordered_json;

/// How deep brackets nest in a JSON text; a parser of it would build any depth.
int json_depth(std::string_view text);

constexpr int kJsonDepth = 128;  // what is read of a file that nobody vouches for
/// Throws Error(format) on deeper nesting.
void check_json_depth(std::string_view text, std::string_view where);

/// Throws Error(format): what a parser says, in short.
[[noreturn]] void fail_json(std::string_view where, std::string_view why);

/// Parses `text`; `where` names it in the error. Throws Error(format) on malformed text, invalid
/// UTF-8 or deeper nesting.
Json parse_json(std::string_view text, std::string_view where);

/// The member of that name; null where there is none, or `json` is no object.
const Json& value_at(const Json& json, const std::string& key);
/// The text of a key; empty where `json` is no object that has it, or it is no text.
template <class AnyJson>
std::string text_at(const AnyJson& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->template get<std::string>() : "";
}

/// JSON text, in one line or indented; what is not UTF-8 becomes U+FFFD.
std::string dumped(const Json& json, int indent = -1);

/// Reads and parses a file. Throws Error(io) or Error(format).
Json read_json(const std::filesystem::path& file);

/// The whole file as bytes. Throws Error(io), or Error(resource) above `max_bytes`.
std::string read_file(const std::filesystem::path& file, size_t max_bytes = size_t{1} << 32);

/// Writes `text` to `file`; a failure leaves the old one (base/output_file.h).
void write_file(const std::filesystem::path& file, std::string_view text);

}  // namespace ashlar
