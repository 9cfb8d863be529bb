// GGUF's vocabulary as a tokenizer.json.
#include <map>

#include <fmt/format.h>

#include "base/error.h"
#include "model/text_export.h"
#include "text/known_patterns.h"
#include "text/scored_merges.h"

namespace ashlar {
namespace {

std::string json_text(std::string_view text) { return Json(std::string(text)).dump(); }

Json byte_level() {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", false}};
}

/// What stands around the text, as the frame says.
Json post_processor(const TokenizerSpec& spec, const std::map<TokenId, std::string>& names) {
  if (spec.frame.size() < 2) return nullptr;
  Json single = Json::array(), pair = Json::array(), special = Json::object();
  for (const char* text : {"A", "B"}) {
    const int type = *text - 'A';
    for (const TokenId id : spec.frame) {
      Json item;
      if (id == TokenizerSpec::kText) {
        item = {{"Sequence", {{"id", text}, {"type_id", type}}}};
      } else {
        const std::string& name = names.at(id);
        item = {{"SpecialToken", {{"id", name}, {"type_id", type}}}};
        special[name] = {{"id", name}, {"ids", Json::array({id})}, {"tokens", Json::array({name})}};
      }
      if (type == 0) single.push_back(item);
      pair.push_back(item);
    }
  }
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", pair},
          {"special_tokens", special}};
}

Json sequence(const char* list, Json items) {
  return {{"type", "Sequence"}, {list, std::move(items)}};
}

}  // namespace

std::string tokenizer_json_of(const GgufTokenizerData& data) {
  const TokenizerSpec spec = read_gguf_tokenizer(data);
  const BpeModel& model = spec.model;
  std::map<TokenId, std::string> names;
  for (size_t i = 0; i < model.vocab.size(); ++i)
    names.emplace(model.vocab.id(i), std::string(model.vocab.name(i)));
  Json added = Json::array();
  for (const AddedToken& token : spec.added) {
    names.emplace(token.id, token.content);
    added.push_back({{"id", token.id},
                     {"content", token.content},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", token.special}});
  }

  const std::string mark = "\u2581";
  const bool sentencepiece = data.model == "llama";
  Json root = {{"version", "1.0"},
               {"truncation", nullptr},
               {"padding", nullptr},
               {"added_tokens", added},
               {"normalizer", nullptr},
               {"pre_tokenizer", nullptr},
               {"post_processor", post_processor(spec, names)},
               {"decoder", byte_level()}};
  if (sentencepiece) {
    const bool prefix = data.add_space_prefix.value_or(true);
    Json normalizers = Json::array(), decoders = Json::array();
    if (prefix) normalizers.push_back({{"type", "Prepend"}, {"prepend", mark}});
    normalizers.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", mark}});
    decoders.push_back({{"type", "Replace"}, {"pattern", {{"String", mark}}}, {"content", " "}});
    decoders.push_back({{"type", "ByteFallback"}});
    decoders.push_back({{"type", "Fuse"}});
    if (prefix)
      decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    root["normalizer"] = sequence("normalizers", normalizers);
    root["decoder"] = sequence("decoders", decoders);
  } else {
    const KnownPatterns* known = known_patterns(data.pre);
    ASHLAR_ASSERT(known != nullptr, "read_gguf_tokenizer refuses unknown names");
    Json steps = Json::array();
    for (const char* pattern : known->patterns) {
      steps.push_back({{"type", "Split"},
                       {"pattern", {{"Regex", pattern}}},
                       {"behavior", "Isolated"},
                       {"invert", false}});
    }
    steps.push_back(byte_level());
    root["pre_tokenizer"] = sequence("pretokenizers", steps);
    if (known->nfc) root["normalizer"] = {{"type", "NFC"}};
  }
  // The model by hand: a JSON object with order looks through all its keys at every insertion.
  std::string text = root.dump();
  text.pop_back();
  text += fmt::format(
      R"(,"model":{{"type":"BPE","dropout":null,"unk_token":{},"continuing_subword_prefix":null,)"
      R"("end_of_word_suffix":null,"fuse_unk":{},"byte_fallback":{},"ignore_merges":{},"vocab":{{)",
      model.unk_token.empty() ? std::string("null") : json_text(model.unk_token), model.fuse_unk,
      model.byte_fallback, model.ignore_merges);
  std::map<std::string, TokenId> vocab;  // a spelling has one id
  for (const auto& [id, name] : names) vocab.emplace(name, id);
  const char* comma = "";
  for (const auto& [name, id] : vocab) {
    text += fmt::format("{}{}:{}", comma, json_text(name), id);
    comma = ",";
  }
  text += R"(},"merges":[)";
  comma = "";
  for (const BpeModel::Merge& m : model.scores.empty() ? model.merges : merges_from_scores(model)) {
    text +=
        fmt::format("{}[{},{}]", comma, json_text(names.at(m.left)), json_text(names.at(m.right)));
    comma = ",";
  }
  return text + "]}}\n";
}

}  // namespace ashlar
