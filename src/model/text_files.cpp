// Tokenizers, chat templates and end tokens from a folder's files or GGUF metadata.
#include "model/text_files.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "base/regular_file.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

/// The object that a file holds; null where there is no file.
Json object_in(const fs::path& file) {
  if (!is_there(file)) return nullptr;
  Json json = read_regular_json(file);
  if (!json.is_object()) fail(ErrorKind::format, "{}: expected a JSON object", file.string());
  return json;
}

/// "<s>", or an AddedToken {"content": "<s>", ...}; empty otherwise.
std::string token_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : text_at(value, "content");
}

/// Named tokens: bos_token, eos_token, ..., and those of the model's own kind (image_token, ...).
void add_variables(const Json& file, Json* variables) {
  const auto add = [variables](const std::string& name, const Json& value) {
    const std::string text = token_text(value);
    if (!text.empty() && !variables->contains(name)) (*variables)[name] = text;
  };
  for (const auto& [name, value] : file.items()) {
    if (name.ends_with("_token")) add(name, value);
  }
  for (const char* key : {"extra_special_tokens", "model_specific_special_tokens"}) {
    const Json& named = value_at(file, key);
    if (!named.is_object()) continue;
    for (const auto& [name, value] : named.items()) add(name, value);
  }
}

/// One of several templates. Other names than these two are only told to the user.
void take_named(const std::string& name, std::string source, TextModel* text) {
  text->chat_template_names.push_back(name);
  if (name == "default")
    text->chat_template = std::move(source);
  else if (name == "tool_use")
    text->tool_chat_template = std::move(source);
}

/// A template, or a list of named ones.
void take_template(const Json& value, const std::string& where, TextModel* text) {
  if (value.is_string()) {
    text->chat_template = value.get<std::string>();
    return;
  }
  if (value.is_null()) return;
  if (!value.is_array())
    fail(ErrorKind::format, "{}: chat_template: expected text or a list of named ones", where);
  for (const Json& entry : value) {
    const Json &name = value_at(entry, "name"), &source = value_at(entry, "template");
    if (!name.is_string() || !source.is_string())
      fail(ErrorKind::format, "{}: chat_template: expected entries with name and template", where);
    take_named(name.get<std::string>(), source.get<std::string>(), text);
  }
}

void add_end(int64_t id, TextModel* text) {
  if (id < 0 || id > INT32_MAX) return;  // how GGUF says that there is none
  const auto token = static_cast<TokenId>(id);
  if (std::find(text->end_tokens.begin(), text->end_tokens.end(), token) == text->end_tokens.end())
    text->end_tokens.push_back(token);
}

/// eos_token_id: a number or a list of them. Error(format) for what is neither.
bool add_ends(const fs::path& path, TextModel* text) {
  const Json file = object_in(path);
  const Json* ends = &value_at(file, "eos_token_id");
  if (ends->is_null()) ends = &value_at(value_at(file, "text_config"), "eos_token_id");
  if (ends->is_null()) return false;
  for (const Json& id : ends->is_array() ? *ends : Json::array({*ends})) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX) {
      fail(ErrorKind::format, "{}: eos_token_id: expected token ids from 0, found {}",
           path.string(), id.dump().substr(0, 80));
    }
    add_end(id.get<int64_t>(), text);
  }
  return !text->end_tokens.empty();
}

/// Values that make no sense are left aside: they decide no number that a model computes.
void add_sampling(const Json& file, TextModel* text) {
  for (const Recommendation& r : kRecommendations) {
    const Json& said = value_at(file, r.name);
    if (!said.is_number()) continue;
    const auto value = said.get<double>();
    if (value >= r.least && value <= r.most) text->sampling[r.name] = value;
  }
  const Json& sample = value_at(file, "do_sample");
  if (sample.is_boolean()) text->sampling["do_sample"] = sample.get<bool>() ? 1 : 0;
}

/// The pieces that end a turn in the families' formats, where a file names one end only.
void add_turn_ends(TextModel* text) {
  if (!text->tokenizer) return;
  const Tokenizer& t = *text->tokenizer;
  for (const char* piece :
       {"<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<end_of_turn>",
        "<|endoftext|>", "<|eom_id|>", "<|eot|>", "<|eom|>", "[EOT]", "[EOS]", "<|end_of_text|>",
        "<｜end▁of▁sentence｜>", "<|separator|>"}) {
    const auto id = t.id_of(piece);
    if (!id || !t.is_special(*id)) continue;
    // Harmony ends messages with <|end|> and the turn with <|return|> or <|call|>.
    if (piece == std::string_view("<|end|>") && t.id_of("<|return|>")) continue;
    add_end(*id, text);
  }
}

bool any_exists(const fs::path& folder, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](const char* name) { return is_there(folder / name); });
}

}  // namespace

TextModel text_of_folder(const fs::path& folder) {
  TextModel text;
  if (any_exists(folder, {"tokenizer.json", "tekken.json", "tiktoken.model", "vocab.json",
                          "tokenizer.model"})) {
    try {
      text.tokenizer = Tokenizer::from_folder(folder);
    } catch (const Error& e) {
      text.tokenizer_error = e.what();
    }
  }
  const Json config = object_in(folder / "tokenizer_config.json");
  add_variables(config, &text.chat_variables);
  add_variables(object_in(folder / "special_tokens_map.json"), &text.chat_variables);

  if (const Json& words = value_at(config, "chat_control_tokens"); words.is_array()) {
    for (const Json& word : words) {
      if (word.is_string()) text.control_words += word.get<std::string>() + '\0';
    }
  }

  // Files of the template win over the config, as in Transformers; a processor's comes last.
  const auto take = [&](const Json& json, const char* file) {
    take_template(value_at(json, "chat_template"), (folder / file).string(), &text);
  };
  take(config, "tokenizer_config.json");
  if (text.chat_template.empty() && text.chat_template_names.empty())
    take(object_in(folder / "chat_template.json"), "chat_template.json");
  constexpr size_t kMost = size_t{1} << 24;
  if (is_there(folder / "chat_template.jinja"))
    text.chat_template = read_regular_file(folder / "chat_template.jinja", kMost);
  for (const fs::path& file : listed(folder / "additional_chat_templates", ".jinja"))
    take_named(file.stem().string(), read_regular_file(file, kMost), &text);

  const bool said =
      add_ends(folder / "generation_config.json", &text) || add_ends(folder / "config.json", &text);
  if (text.tokenizer && text.tokenizer->eos()) add_end(*text.tokenizer->eos(), &text);
  if (!said) add_turn_ends(&text);
  add_sampling(object_in(folder / "generation_config.json"), &text);
  return text;
}

TextModel text_of_gguf(const GgufFile& file, const std::string& where) {
  TextModel text;
  if (file.find("tokenizer.ggml.model") == nullptr) return text;
  GgufTokenizerData data;
  try {
    data = gguf_tokenizer_data(file, where);
    text.tokenizer = Tokenizer::from_gguf(data);
  } catch (const Error& e) {
    text.tokenizer_error = e.what();
  }
  for (const auto& [name, key] :
       {std::pair{"bos_token", "bos_token_id"}, std::pair{"eos_token", "eos_token_id"},
        std::pair{"unk_token", "unknown_token_id"}, std::pair{"pad_token", "padding_token_id"}}) {
    const GgufValue* id = file.find(std::string("tokenizer.ggml.") + key);
    if (id == nullptr) continue;
    const int64_t i = id->as_int();
    if (i >= 0 && i < static_cast<int64_t>(data.tokens.size()))
      text.chat_variables[name] = data.tokens[static_cast<size_t>(i)];
  }
  if (const GgufValue* v = file.find("tokenizer.chat_template"))
    text.chat_template = v->as_string();
  constexpr std::string_view kNamed = "tokenizer.chat_template.";
  for (const auto& [key, value] : file.metadata()) {
    if (key.starts_with(kNamed)) take_named(key.substr(kNamed.size()), value.as_string(), &text);
  }
  for (const Recommendation& r : kRecommendations) {
    const GgufValue* v = file.find(r.gguf);
    const double value = v == nullptr ? -1 : v->as_float();
    if (value >= r.least && value <= r.most) {
      text.sampling[r.name] = value;
      text.sampling["do_sample"] = 1;
    }
  }
  for (const char* key : {"eos_token_id", "eot_token_id", "eom_token_id"}) {
    if (const GgufValue* v = file.find(std::string("tokenizer.ggml.") + key))
      add_end(v->as_int(), &text);
  }
  if (const GgufValue* v = file.find("tokenizer.ggml.eos_token_ids")) {
    for (const int64_t id : v->as_ints()) add_end(id, &text);
  } else {
    add_turn_ends(&text);
  }
  std::erase_if(text.end_tokens,
                [&](TokenId id) { return id >= static_cast<int64_t>(data.tokens.size()); });
  return text;
}

}  // namespace ashlar
