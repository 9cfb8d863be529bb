// Tokens that stand beside a tokenizer only: in tokenizer_config.json, added_tokens.json and
// special_tokens_map.json. The way of Transformers' AutoTokenizer.
#include <algorithm>
#include <map>

#include "base/error.h"
#include "text/files_json.h"
#include "text/tokenizer_spec.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAttributes[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                       "pad_token", "cls_token", "mask_token"};

/// "<s>", or {"content": "<s>", ...}; nothing for what is neither.
std::optional<AddedToken> token_of(const PlainJson& value) {
  AddedToken token;
  if (value.is_string()) {
    token.content = value.get<std::string>();
    token.special = true;
  } else if (value.is_object()) {
    token = added_token_of(value);
  }
  return token.content.empty() ? std::nullopt : std::optional(token);
}

/// tokenizer_config.json, and what special_tokens_map.json says where the config lists no tokens.
PlainJson merged(const std::optional<PlainJson>& config, const fs::path& folder) {
  PlainJson all = config ? *config : PlainJson::object();
  if (all.contains("added_tokens_decoder")) return all;
  if (const auto map = read_optional(folder / "special_tokens_map.json")) {
    for (const auto& [key, value] : map->items()) {
      all[key] = value;
      if (value.is_object() && value.contains("content")) all[key]["special"] = true;
    }
  }
  return all;
}

/// The keys of merged() as the files order them.
std::vector<std::string> merged_keys(const fs::path& folder, std::string_view inner = {}) {
  std::vector<std::string> keys = keys_in_order(folder / "tokenizer_config.json", inner);
  for (std::string& key : keys_in_order(folder / "special_tokens_map.json", inner)) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(std::move(key));
  }
  return keys;
}

/// Named tokens in the order in which they are added: the usual names, then a model's own as the
/// files order them.
std::vector<AddedToken> named_tokens(const PlainJson& config, const fs::path& folder) {
  std::vector<AddedToken> tokens;
  const auto take = [&](const PlainJson& value) {
    if (auto token = token_of(value)) tokens.push_back(std::move(*token));
  };
  for (const char* name : kAttributes) {
    if (const auto it = config.find(name); it != config.end()) take(*it);
  }
  for (const std::string& key : merged_keys(folder)) {
    const bool attribute =
        std::find(std::begin(kAttributes), std::end(kAttributes), key) != std::end(kAttributes);
    if (key.ends_with("_token") && !attribute && config.contains(key)) take(config.at(key));
  }
  if (const auto extra = config.find("extra_special_tokens");
      extra != config.end() && extra->is_object()) {
    for (const std::string& key : merged_keys(folder, "extra_special_tokens")) {
      if (extra->contains(key)) take(extra->at(key));
    }
  }
  return tokens;
}

std::vector<AddedToken> extra_tokens(const PlainJson& config) {
  std::vector<AddedToken> tokens;
  for (const char* key : {"extra_special_tokens", "additional_special_tokens"}) {
    const auto list = config.find(key);
    if (list == config.end() || !list->is_array() || list->empty()) continue;
    for (const PlainJson& value : *list) {
      if (auto token = token_of(value)) tokens.push_back(std::move(*token));
    }
    break;  // the second is the older name of the first
  }
  return tokens;
}

bool same(const AddedToken& a, const AddedToken& b) {
  return a.content == b.content && a.special == b.special && a.normalized == b.normalized &&
         a.lstrip == b.lstrip && a.rstrip == b.rstrip && a.single_word == b.single_word;
}

bool holds(const std::vector<AddedToken>& tokens, const std::string& content) {
  return std::any_of(tokens.begin(), tokens.end(),
                     [&](const AddedToken& t) { return t.content == content; });
}

/// added_tokens.json: {"<|call|>": 316}.
void read_added_tokens_file(const fs::path& file, const std::vector<AddedToken>& special,
                            std::map<int64_t, AddedToken>& tokens) {
  const auto added = read_optional(file);
  if (!added) return;
  for (const auto& [content, id] : added->items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > static_cast<uint64_t>(kMaxTokenId)) {
      fail(ErrorKind::format, "{}: \"{}\": expected a token id from 0, found {}", file.string(),
           content.substr(0, 80), id.dump().substr(0, 80));
    }
    AddedToken token;
    token.content = content;
    token.special = holds(special, content);
    token.normalized = !token.special;
    tokens[id.get<int64_t>()] = std::move(token);
  }
}

/// bos and eos as a file names them.
void name_ends(const PlainJson& config, TokenizerSpec& spec) {
  for (const auto& [name, slot] :
       {std::pair("bos_token", &spec.bos), std::pair("eos_token", &spec.eos)}) {
    const auto it = config.find(name);
    const auto token = it == config.end() ? std::nullopt : token_of(*it);
    if (!token) continue;
    const auto added = spec.added_index.find(token->content);
    const TokenId id = added != spec.added_index.end() ? spec.added[added->second].id
                                                       : spec.model.vocab.find(token->content);
    if (id >= 0) *slot = id;
  }
}

}  // namespace

void read_special_names(const fs::path& folder, TokenizerSpec& spec) {
  for (const char* file : {"special_tokens_map.json", "tokenizer_config.json"}) {
    if (const auto config = read_optional(folder / file)) name_ends(*config, spec);
  }
}

void add_tokens_of_files(const fs::path& folder, TokenizerSpec& spec,
                         const SpecialNames& defaults) {
  const fs::path config_file = folder / "tokenizer_config.json";
  PlainJson config = merged(read_optional(config_file), folder);
  for (const auto& [name, content] : defaults) {
    if (!config.contains(name)) config[name] = content;
  }
  const std::vector<AddedToken> named = named_tokens(config, folder), extra = extra_tokens(config);
  std::map<int64_t, AddedToken> listed;  // by the id that the file says: their order
  if (config.contains("added_tokens_decoder")) {
    read_added(config, config_file.string(),
               [&](int64_t id, AddedToken token) { listed[id] = std::move(token); });
  } else {
    std::vector<AddedToken> special = named;
    special.insert(special.end(), extra.begin(), extra.end());
    read_added_tokens_file(folder / "added_tokens.json", special, listed);
  }
  std::vector<AddedToken> fresh;
  for (auto& [id, token] : listed) {
    const bool known = std::any_of(
        spec.added.begin(), spec.added.end(),
        [&, &listed_token = token](const AddedToken& t) { return same(t, listed_token); });
    if (!known && !token.content.empty()) fresh.push_back(token);
  }
  const auto has = [&](const std::string& content) {
    if (spec.added_index.contains(content) || holds(fresh, content)) return true;
    return std::any_of(listed.begin(), listed.end(),
                       [&](const auto& item) { return item.second.content == content; });
  };
  for (const std::vector<AddedToken>* tokens : {&named, &extra}) {
    for (const AddedToken& token : *tokens) {
      if (!has(token.content)) fresh.push_back(token);
    }
  }
  for (AddedToken& token : fresh) {
    token.special = token.special || holds(named, token.content);
    add_token(spec, std::move(token));
  }

  read_special_names(folder, spec);
  name_ends(config, spec);
  if (defaults.empty() || (!config.contains("add_bos_token") && !config.contains("add_eos_token")))
    return;  // a tokenizer.json has a post-processor of its own
  spec.frame = {TokenizerSpec::kText};
  if (spec.bos && flag_at(config, "add_bos_token", false))
    spec.frame.insert(spec.frame.begin(), *spec.bos);
  if (spec.eos && flag_at(config, "add_eos_token", false)) spec.frame.push_back(*spec.eos);
}

}  // namespace ashlar
