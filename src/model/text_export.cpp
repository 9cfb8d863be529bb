// Copies tokenizer files, or makes them from what the source has instead.
#include "model/text_export.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/regular_file.h"
#include "hub/cache.h"
#include "model/source.h"
#include "model/text_files.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

/// Where the text parts lie; nothing for blueprints.
std::optional<ModelSource> text_source(const Model& model) {
  const ModelSource source = find_source(model.source, {.weights = false});
  if (source.kind == ModelSource::Kind::blueprint) return std::nullopt;
  return source;
}

void copy_text_files(const fs::path& from, OutputFolder& to) {
  std::error_code code;
  if (fs::equivalent(from, to.path(), code)) return;
  for (const char* name : kTextFiles) {
    if (!fs::exists(from / name, code)) continue;
    if (fs::is_directory(from / name, code)) {
      for (const auto& entry : fs::directory_iterator(from / name, code)) {
        if (entry.is_regular_file())
          to.add_text(fs::path(name) / entry.path().filename(), read_regular_file(entry.path()));
      }
    } else {
      to.add_text(name, read_regular_file(from / name));
    }
  }
}

void make_text_files(const Model& model, const fs::path& gguf, OutputFolder& folder) {
  const auto file = GgufFile::open(gguf);
  if (!model.tokenizer) return;
  const GgufTokenizerData data = gguf_tokenizer_data(*file, gguf.string());
  folder.add_text("tokenizer.json", tokenizer_json_of(data));
  Json config = model.chat_variables;
  config["tokenizer_class"] = "PreTrainedTokenizerFast";
  config["clean_up_tokenization_spaces"] = false;
  if (model.blueprint.context > 0) config["model_max_length"] = model.blueprint.context;
  if (!model.tool_chat_template.empty()) {
    Json list = Json::array({{{"name", "tool_use"}, {"template", model.tool_chat_template}}});
    if (!model.chat_template.empty())
      list.push_back({{"name", "default"}, {"template", model.chat_template}});
    config["chat_template"] = std::move(list);
  } else if (!model.chat_template.empty()) {
    config["chat_template"] = model.chat_template;
  }
  folder.add_text("tokenizer_config.json", config.dump(2) + "\n");
  Json generation = Json::object();
  if (data.bos) generation["bos_token_id"] = *data.bos;
  if (!model.end_tokens.empty()) generation["eos_token_id"] = model.end_tokens;
  for (const auto& [name, value] : model.sampling) {
    if (name == "do_sample")
      generation[name] = value != 0;
    else if (name == "top_k")
      generation[name] = static_cast<int64_t>(value);
    else
      generation[name] = value;
  }
  folder.add_text("generation_config.json", generation.dump(2) + "\n");
}

std::string ggml_key(const char* name) { return std::string("tokenizer.ggml.") + name; }

/// Whether a token of this spelling ends a message after which others than the user go on.
bool ends_message(const std::string& piece) {
  for (const char* known : {"<|eom_id|>", "<|eom|>", "<|observation|>", "<|call|>"}) {
    if (piece == known) return true;
  }
  return false;
}

/// GGUF's three places for tokens that end a generation, and the list that names all where three
/// places do not say it.
void set_end_keys(const Model& model, std::optional<int64_t> eos, GgufWriter* writer) {
  std::vector<TokenId> others = model.end_tokens;
  if (!eos && !others.empty()) eos = others.front();
  if (!eos) return;
  writer->set(ggml_key("eos_token_id"), static_cast<uint32_t>(*eos));
  std::erase(others, static_cast<TokenId>(*eos));
  std::stable_partition(others.begin(), others.end(),
                        [&](TokenId id) { return !ends_message(model.tokenizer->piece(id)); });
  const bool message_only = others.size() == 1 && ends_message(model.tokenizer->piece(others[0]));
  const size_t eom = message_only ? 0 : 1;
  if (!others.empty() && eom > 0)
    writer->set(ggml_key("eot_token_id"), static_cast<uint32_t>(others[0]));
  if (others.size() > eom) {
    writer->set(ggml_key("eom_token_id"),
                static_cast<uint32_t>(message_only ? others[0] : others.back()));
  }
  // Readers add tokens by their spelling; the list says which are meant.
  std::vector<int32_t> all(model.end_tokens.begin(), model.end_tokens.end());
  if (!all.empty()) writer->set(ggml_key("eos_token_ids"), all);
}

}  // namespace

void add_token_ids(const Model& model, Json* config) {
  const auto source = text_source(model);
  if (!source) return;
  const fs::path file = source->path / "config.json";
  if (source->kind == ModelSource::Kind::folder && is_there(file)) {
    const Json original = read_regular_json(file);
    for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
      const Json& said = original.contains(key) ? original : value_at(original, "text_config");
      if (said.contains(key)) (*config)[key] = said[key];
    }
    return;
  }
  if (!model.tokenizer) return;
  if (const auto bos = model.tokenizer->bos()) (*config)["bos_token_id"] = *bos;
  if (const auto eos = model.tokenizer->eos()) (*config)["eos_token_id"] = *eos;
}

void write_text_files(const Model& model, OutputFolder& folder) {
  const auto source = text_source(model);
  if (!source) return;
  if (source->kind == ModelSource::Kind::folder) {
    copy_text_files(source->path, folder);
  } else {
    make_text_files(model, source->path, folder);
  }
}

void set_text_keys(const Model& model, const Family& family, GgufWriter* writer,
                   const std::function<void(const std::string&)>& notice) {
  const auto source = text_source(model);
  if (source && source->kind == ModelSource::Kind::gguf) {
    const auto file = GgufFile::open(source->path);
    for (const auto& [key, value] : file->metadata()) {
      if (key.starts_with("tokenizer.")) writer->set(key, value);
    }
    return;
  }
  if (!model.chat_template.empty()) writer->set("tokenizer.chat_template", model.chat_template);
  if (!model.tool_chat_template.empty()) {
    writer->set("tokenizer.chat_templates", std::vector<std::string>{"tool_use"});
    writer->set("tokenizer.chat_template.tool_use", model.tool_chat_template);
  }
  if (!source || !model.tokenizer) {
    writer->set(ggml_key("model"), "none");
    return;
  }
  const TokenizerSpec spec = read_tokenizer_folder(source->path);
  bool exact = false;
  const GgufTokenizerData data =
      gguf_tokenizer_of(spec, *model.tokenizer, model.blueprint.embedding.vocab, family, &exact);
  if (!exact && notice) {
    notice(
        fmt::format("{}: GGUF has no words for all that this tokenizer does; readers of the file "
                    "will split some "
                    "text otherwise",
                    spec.where));
  }
  for (const AddedToken& token : spec.added) {
    if (!notice || !(token.lstrip || token.rstrip || token.single_word)) continue;
    notice(fmt::format(
        "{}: GGUF has no words for lstrip, rstrip and single_word, which {} and perhaps "
        "others have; readers of the file keep the white space beside such tokens",
        spec.where, token.content));
    break;
  }
  const auto sampled = model.sampling.find("do_sample");
  if (sampled == model.sampling.end() || sampled->second != 0) {
    for (const Recommendation& r : kRecommendations) {
      const auto it = model.sampling.find(r.name);
      if (it == model.sampling.end()) continue;
      if (it->first == "top_k")
        writer->set(r.gguf, static_cast<int32_t>(it->second));
      else
        writer->set(r.gguf, static_cast<float>(it->second));
    }
  }
  writer->set(ggml_key("model"), data.model);
  writer->set(ggml_key("pre"), data.pre);
  writer->set(ggml_key("tokens"), data.tokens);
  if (!data.scores.empty()) writer->set(ggml_key("scores"), data.scores);
  writer->set(ggml_key("token_type"), data.types);
  if (!data.merges.empty()) writer->set(ggml_key("merges"), data.merges);
  const auto id = [&](const char* name, std::optional<int64_t> value) {
    if (value && *value >= 0) writer->set(ggml_key(name), static_cast<uint32_t>(*value));
  };
  id("bos_token_id", data.bos);
  set_end_keys(model, data.eos, writer);
  id("unknown_token_id", data.unk);
  if (const auto pad = model.chat_variables.find("pad_token");
      pad != model.chat_variables.end() && pad->is_string()) {
    if (const auto token = model.tokenizer->id_of(pad->get<std::string>()))
      id("padding_token_id", *token);
  }
  if (data.add_bos) writer->set(ggml_key("add_bos_token"), *data.add_bos);
  if (data.add_eos) writer->set(ggml_key("add_eos_token"), *data.add_eos);
  if (data.add_space_prefix) writer->set(ggml_key("add_space_prefix"), *data.add_space_prefix);
}

}  // namespace ashlar
