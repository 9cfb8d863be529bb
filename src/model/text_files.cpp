// Tokenizers, chat templates and end tokens from a folder's files or GGUF metadata.
#include "model/text_files.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "base/regular_file.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

std::optional<Json> object_in(const fs::path& file) {
  std::error_code code;
  if (!fs::exists(file, code)) return std::nullopt;
  Json json = read_regular_json(file);
  if (!json.is_object()) fail(ErrorKind::format, "{}: expected a JSON object", file.string());
  return json;
}

/// "<s>", or an AddedToken {"content": "<s>", ...}; empty otherwise.
std::string token_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_object()) return "";
  const auto it = value.find("content");
  return it != value.end() && it->is_string() ? it->get<std::string>() : "";
}

/// Named tokens: bos_token, eos_token, ..., and those of the model's own kind (image_token, ...).
void add_variables(const std::optional<Json>& file, Json* variables) {
  if (!file) return;
  const auto add = [variables](const std::string& name, const Json& value) {
    const std::string text = token_text(value);
    if (!text.empty() && !variables->contains(name)) (*variables)[name] = text;
  };
  for (const auto& [name, value] : file->items()) {
    if (name.ends_with("_token")) add(name, value);
  }
  for (const char* key : {"extra_special_tokens", "model_specific_special_tokens"}) {
    const auto named = file->find(key);
    if (named == file->end() || !named->is_object()) continue;
    for (const auto& [name, value] : named->items()) add(name, value);
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
    const auto name = entry.is_object() ? entry.find("name") : entry.end();
    const auto source = entry.is_object() ? entry.find("template") : entry.end();
    if (!entry.is_object() || name == entry.end() || source == entry.end() || !name->is_string() ||
        !source->is_string())
      fail(ErrorKind::format, "{}: chat_template: expected entries with name and template", where);
    take_named(name->get<std::string>(), source->get<std::string>(), text);
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
  const std::optional<Json> file = object_in(path);
  if (!file) return false;
  auto it = file->find("eos_token_id");
  if (it == file->end() || it->is_null()) {
    const auto inner = file->find("text_config");
    if (inner == file->end() || !inner->is_object()) return false;
    it = inner->find("eos_token_id");
    if (it == inner->end() || it->is_null()) return false;
  }
  const auto add = [&](const Json& id) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX) {
      fail(ErrorKind::format, "{}: eos_token_id: expected token ids from 0, found {}",
           path.string(), id.dump().substr(0, 80));
    }
    add_end(id.get<int64_t>(), text);
  };
  if (it->is_array()) {
    for (const Json& id : *it) add(id);
  } else {
    add(*it);
  }
  return !text->end_tokens.empty();
}

/// What is recommended: its name in generation_config.json and in GGUF, and what it can be.
struct Recommendation {
  const char *name, *gguf;
  double least, most;
};
constexpr Recommendation kRecommendations[] = {
    {"temperature", "general.sampling.temp", 0, 100},
    {"top_k", "general.sampling.top_k", 0, 1e9},
    {"top_p", "general.sampling.top_p", 1e-9, 1},
    {"min_p", "general.sampling.min_p", 0, 1},
    {"repetition_penalty", "general.sampling.penalty_repeat", 1e-3, 100}};

/// Values that make no sense are left aside: they decide no number that a model computes.
void add_sampling(const std::optional<Json>& file, TextModel* text) {
  if (!file) return;
  for (const Recommendation& r : kRecommendations) {
    const auto it = file->find(r.name);
    if (it == file->end() || !it->is_number()) continue;
    const auto value = it->get<double>();
    if (value >= r.least && value <= r.most) text->sampling[r.name] = value;
  }
  const auto sample = file->find("do_sample");
  if (sample != file->end() && sample->is_boolean())
    text->sampling["do_sample"] = sample->get<bool>() ? 1 : 0;
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
  std::error_code code;
  return std::any_of(names.begin(), names.end(),
                     [&](const char* name) { return fs::exists(folder / name, code); });
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
  const auto config = object_in(folder / "tokenizer_config.json");
  add_variables(config, &text.chat_variables);
  add_variables(object_in(folder / "special_tokens_map.json"), &text.chat_variables);

  if (config) {
    const auto words = config->find("chat_control_tokens");
    if (words != config->end() && words->is_array()) {
      for (const Json& word : *words) {
        if (word.is_string()) text.control_words += word.get<std::string>() + '\0';
      }
    }
  }

  // Files of the template win over the config, as in Transformers; a processor's comes last.
  const auto take = [&](const std::optional<Json>& json, const char* file) {
    const auto found = json ? json->find("chat_template") : Json::const_iterator();
    if (json && found != json->end()) take_template(*found, (folder / file).string(), &text);
  };
  take(config, "tokenizer_config.json");
  if (text.chat_template.empty() && text.chat_template_names.empty())
    take(object_in(folder / "chat_template.json"), "chat_template.json");
  std::error_code code;
  constexpr size_t kMost = size_t{1} << 24;
  if (fs::exists(folder / "chat_template.jinja", code))
    text.chat_template = read_regular_file(folder / "chat_template.jinja", kMost);
  std::vector<fs::path> named;
  for (const auto& entry : fs::directory_iterator(folder / "additional_chat_templates", code)) {
    if (entry.path().extension() == ".jinja") named.push_back(entry.path());
  }
  std::sort(named.begin(), named.end());
  for (const fs::path& file : named)
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
