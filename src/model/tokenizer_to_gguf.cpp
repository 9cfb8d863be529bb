// A tokenizer's parts as GGUF metadata: tokens, types, merges or scores, and the name of its
// pre-tokenizer, found by trying.
#include <algorithm>
#include <array>
#include <unordered_map>

#include <fmt/format.h>

#include "base/error.h"
#include "model/text_export.h"

namespace ashlar {
namespace {

constexpr int32_t kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6;
const std::string kMark = "\u2581";

/// Text that tells the pre-tokenizers of published models apart: every three in a row of what they
/// treat in ways of their own.
std::string probe() {
  static constexpr std::array kParts = {
      "the",    " the",    "World", " World",  "'t",   "'T",        "'ll",     "'LL", "1",
      "123",    "1234567", " ",     "  ",      "   ",  "\n",        "\n\n",    " \n", "\r\n",
      "\t",     "中",      "文字",  "かな",    "カナ", "한국",      "!",       "?!",  "...",
      "/",      "//",      "_",     "-",       "$",    "é",         "e\u0301", "ẛ̣",   "\u00a0",
      "\u3000", "🙂",    "½",     "русский", "ไทย",  "camelCase", "HTML",    "<a>"};
  std::string text;
  uint32_t state = 1;
  constexpr int kWords = 6000;
  for (int i = 0; i < kWords; ++i) {
    state = state * 1664525 + 1013904223;  // Numerical Recipes' generator
    text += kParts[(state >> 16) % kParts.size()];
  }
  return text;
}

bool is_byte_token(const std::string& token) {
  return token.size() == 6 && token.starts_with("<0x") && token.back() == '>';
}

void place_token(GgufTokenizerData* data, TokenId id, const std::string& text, int32_t type) {
  if (id < 0 || static_cast<size_t>(id) >= data->tokens.size()) return;
  data->tokens[static_cast<size_t>(id)] = text;
  data->types[static_cast<size_t>(id)] = type;
}

/// llama.cpp merges by the score of the outcome: the earlier a merge, the higher.
void add_scores(const TokenizerSpec& spec, GgufTokenizerData* data) {
  constexpr float kNeverMerged = -1e6f, kUserScore = -1000;
  data->scores.assign(data->tokens.size(), kNeverMerged);
  for (size_t i = spec.model.merges.size(); i-- > 0;) {
    const auto id = static_cast<size_t>(spec.model.merges[i].result);
    if (id < data->scores.size()) data->scores[id] = -static_cast<float>(i);
  }
  for (size_t i = 0; i < data->scores.size(); ++i) {
    const int32_t type = data->types[i];
    if (type == kUserDefined) data->scores[i] = kUserScore;
    if (type == kControl || type == kUnknown || type == kByte) data->scores[i] = 0;
  }
}

/// Names of pre-tokenizers that llama.cpp knows, the family's own first.
std::vector<std::string> pre_names(const Family& family) {
  std::vector<std::string> names{std::string(family.pre)};
  for (const char* other : {"llama-bpe", "gpt-2", "smollm", "qwen2", "dbrx", "gpt-4o", "tekken",
                            "deepseek-llm", "deepseek-coder", "deepseek-v3", "kimi-k2", "glm4",
                            "grok-2", "starcoder", "seed-coder", "default"}) {
    if (std::find(names.begin(), names.end(), other) == names.end()) names.emplace_back(other);
  }
  return names;
}

bool reads_alike(const GgufTokenizerData& data, const std::string& text,
                 const std::vector<TokenId>& expected) {
  try {
    const auto made = Tokenizer::from_gguf(data);
    return made && made->encode(text, {false, false}) == expected;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

GgufTokenizerData gguf_tokenizer_of(const TokenizerSpec& spec, const Tokenizer& tokenizer,
                                    int64_t size, const Family& family, bool* exact) {
  GgufTokenizerData data;
  data.where = spec.where;
  const bool sentencepiece = spec.model.byte_fallback && !spec.bytes_last;
  data.model = sentencepiece ? "llama" : "gpt2";
  for (int64_t i = 0; i < size; ++i) data.tokens.push_back(fmt::format("[PAD{}]", i));
  data.types.assign(data.tokens.size(), kUnused);
  for (size_t i = 0; i < spec.model.vocab.size(); ++i) {
    const std::string text(spec.model.vocab.name(i));
    place_token(&data, spec.model.vocab.id(i), text,
                sentencepiece && is_byte_token(text) ? kByte : kNormal);
  }
  for (const AddedToken& token : spec.added) {
    std::string text = token.content;
    if (sentencepiece && !token.special) {
      const bool run = text.find_first_not_of(kMark) == std::string::npos;
      // Added to the text before spaces become marks, runs of marks are never found there: merges
      // make them.
      if (run && spec.model.vocab.find(text) >= 0) continue;
      for (size_t at = text.find(kMark); at != std::string::npos; at = text.find(kMark))
        text.replace(at, kMark.size(), " ");
    }
    place_token(&data, token.id, text, token.special ? kControl : kUserDefined);
  }
  if (!spec.model.unk_token.empty()) {
    const TokenId unk = spec.model.vocab.find(spec.model.unk_token);
    if (unk >= 0) {
      place_token(&data, unk, spec.model.unk_token, kUnknown);
      data.unk = unk;
    }
  }
  // What stands around the text says which tokens these are where no config does.
  const TokenId first = spec.frame.front(), last = spec.frame.back();
  const auto named = [](std::optional<TokenId> name, TokenId framed) {
    return name                             ? std::optional<int64_t>(*name)
           : framed == TokenizerSpec::kText ? std::nullopt
                                            : std::optional<int64_t>(framed);
  };
  data.bos = named(spec.bos, first);
  data.eos = named(spec.eos, last);
  data.add_bos = data.bos && *data.bos == first;
  data.add_eos = data.eos && *data.eos == last;

  const std::string text = probe();
  const std::vector<TokenId> expected = tokenizer.encode(text, {false, false});
  if (sentencepiece) {
    add_scores(spec, &data);
    data.pre = "default";
    data.add_space_prefix = tokenizer.piece(expected[0]).starts_with(kMark);
    *exact = reads_alike(data, text, expected);
    return data;
  }
  std::unordered_map<TokenId, std::string> names;
  for (size_t i = 0; i < spec.model.vocab.size(); ++i)
    names[spec.model.vocab.id(i)] = spec.model.vocab.name(i);
  for (const BpeModel::Merge& m : spec.model.merges)
    data.merges.push_back(names[m.left] + " " + names[m.right]);
  for (const std::string& pre : pre_names(family)) {
    data.pre = pre;
    *exact = reads_alike(data, text, expected);
    if (*exact) return data;
  }
  data.pre = pre_names(family)[0];
  return data;
}

}  // namespace ashlar
