// Small JSON files beside a tokenizer, read leniently: a value of another type counts as absent.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/added_tokens.h"

namespace ashlar {

/// The plain kind: the ordered one looks through all keys of an object at every insertion.
using PlainJson = nlohmann::json;

/// Throws Error(format).
PlainJson parse_plain(std::string_view text, std::string_view where);
/// The object that a file holds; nothing where there is no file. Throws Error(format).
std::optional<PlainJson> read_optional(const std::filesystem::path& file);

/// The keys of the file's object as it orders them, or of the object that its key `inner` holds;
/// none where there is no file.
std::vector<std::string> keys_in_order(const std::filesystem::path& file,
                                       std::string_view inner = {});

int64_t number_at(const PlainJson& object, const char* key, int64_t otherwise);
bool flag_at(const PlainJson& object, const char* key, bool otherwise);

/// {"content": ..., "special": ..., ...} without an id.
AddedToken added_token_of(const PlainJson& object);
/// tokenizer_config.json's {"id": {"content": ..., "special": ...}}. Throws Error(format).
void read_added(const PlainJson& config, std::string_view where,
                const std::function<void(int64_t, AddedToken)>& use);

}  // namespace ashlar
