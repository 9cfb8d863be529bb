// Tokenizers from GGUF metadata, giving the ids that the model's own tokenizer.json gives.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/utf8.h"
#include "formats/gguf.h"
#include "text/known_patterns.h"
#include "text/tokenizer_spec.h"

namespace ashlar {
namespace {

enum TokenType : int32_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6
};

std::string text_of(const std::string& token) {
  return utf8::valid_prefix(token) == token.size() ? token : utf8::repaired(token);
}

int32_t type_of(const GgufTokenizerData& data, size_t i) {
  return i < data.types.size() ? data.types[i] : static_cast<int32_t>(normal);
}

std::optional<TokenId> checked(const GgufTokenizerData& data, std::optional<int64_t> id,
                               const char* key) {
  if (!id) return std::nullopt;
  if (*id < 0 || *id >= static_cast<int64_t>(data.tokens.size())) {
    // Files of models without such a token name -1 or one past the end.
    if (*id == -1 || *id == UINT32_MAX || *id == static_cast<int64_t>(data.tokens.size()))
      return std::nullopt;
    fail(ErrorKind::format, "{}: tokenizer.ggml.{} is {}, the vocabulary has {} tokens", data.where,
         key, *id, data.tokens.size());
  }
  return static_cast<TokenId>(*id);
}

// How many tokens ahead slots of the vocabulary are prefetched: filling Gemma 3's table of 262,144 takes
// 26 ms in place of 45 (Cascade Lake, with hashes in the slots).
constexpr size_t kAhead = 16;

void read_byte_level(const GgufTokenizerData& data, TokenizerSpec& spec, bool& add_bos) {
  const KnownPatterns* known = known_patterns(data.pre);
  if (known == nullptr) {
    fail(ErrorKind::unsupported, "{}: tokenizer.ggml.pre \"{}\" is not a pre-tokenizer known here",
         data.where, data.pre);
  }
  BpeModel& model = spec.model;
  TokenMap mergeable;
  model.vocab.reserve(data.tokens.size());
  for (size_t i = 0; i < data.tokens.size(); ++i) {
    if (i + kAhead < data.tokens.size()) model.vocab.prefetch(data.tokens[i + kAhead]);
    const std::string text = text_of(data.tokens[i]);
    const auto id = static_cast<TokenId>(i);
    const int32_t type = type_of(data, i);
    if (type == control || type == user_defined || type == unknown) {
      place_token(spec, {.content = text, .id = id, .special = type != user_defined});
      continue;
    }
    model.vocab.set(text, id);
    if (type == normal && data.merges.empty()) mergeable.set(text, id);
  }
  if (data.merges.empty() && data.pre != "kimi-k2") {
    fail(ErrorKind::format, "{}: a vocabulary of the kind \"gpt2\" without tokenizer.ggml.merges",
         data.where);
  }
  for (size_t i = 0; i < data.merges.size(); ++i) {
    const std::string line = text_of(data.merges[i]);
    const size_t space = line.find(' ', 1);
    if (space == std::string::npos) {
      fail(ErrorKind::format, "{}: tokenizer.ggml.merges[{}] is not two tokens: \"{}\"", data.where,
           i, line);
    }
    const BpeModel::Merge merge = {
        model.vocab.find(line.substr(0, space)), model.vocab.find(line.substr(space + 1)),
        model.vocab.find(line.substr(0, space) + line.substr(space + 1))};
    // A token that was made a control token later leaves merges that lead nowhere.
    if (merge.left >= 0 && merge.right >= 0 && merge.result >= 0) model.merges.push_back(merge);
  }
  if (data.merges.empty()) model.merges = merges_from_ranks(mergeable);
  model.ignore_merges = known->ignore_merges || data.merges.empty();
  if (known->nfc) spec.normalizer = unicode_normalizer(NormalForm::nfc);
  for (const char* pattern : known->patterns) {
    spec.pre_tokenizers.push_back(
        split_pre_tokenizer(Pattern::regex(pattern, data.where), SplitBehavior::isolated, false));
  }
  spec.bytes_last = true;
  spec.decoder.push_back({.kind = DecoderStep::byte_level});
  add_bos = known->add_bos;
}

/// Scores as the model file has them: what the user defined stands first there; GGUF writes some low
/// number.
std::vector<float> scores_of(const GgufTokenizerData& data) {
  std::vector<float> scores(data.tokens.size());
  for (size_t i = 0; i < data.scores.size(); ++i) {
    if (std::isnan(data.scores[i]))
      fail(ErrorKind::format, "{}: tokenizer.ggml.scores[{}] is not a number", data.where, i);
    if (type_of(data, i) != user_defined) scores[i] = data.scores[i];
  }
  return scores;
}

void read_sentencepiece(const GgufTokenizerData& data, TokenizerSpec& spec) {
  static const std::string kMark = "\u2581";
  if (!data.scores.empty() && data.scores.size() != data.tokens.size()) {
    fail(ErrorKind::format, "{}: {} tokens but {} scores", data.where, data.tokens.size(),
         data.scores.size());
  }
  BpeModel& model = spec.model;
  model.vocab.reserve(data.tokens.size());
  for (size_t i = 0; i < data.tokens.size(); ++i) {
    if (i + kAhead < data.tokens.size()) model.vocab.prefetch(data.tokens[i + kAhead]);
    std::string text = text_of(data.tokens[i]);
    const auto id = static_cast<TokenId>(i);
    const int32_t type = type_of(data, i);
    // Runs of spaces that the user defined stand in the file as they look, in the vocabulary with
    // marks.
    if (type == user_defined && text.find_first_not_of(' ') == std::string::npos) {
      std::string marks;
      for (size_t n = 0; n < text.size(); ++n) marks += kMark;
      text = std::move(marks);
    }
    model.vocab.add(text, id);
    if (type == control || type == user_defined || type == unknown) {
      place_token(spec, {.content = text, .id = id, .special = type != user_defined});
    }
  }
  if (const auto unk = checked(data, data.unk, "unknown_token_id")) {
    model.unk_token = text_of(data.tokens[static_cast<size_t>(*unk)]);
  }
  model.fuse_unk = model.byte_fallback = true;
  model.scores = scores_of(data);
  std::vector<NormalizerPtr> steps;
  const bool prefix = data.add_space_prefix.value_or(true);
  if (prefix) steps.push_back(prepend_normalizer(kMark));
  steps.push_back(replace_char_normalizer(' ', kMark));
  spec.normalizer = normalizer_sequence(std::move(steps));
  spec.decoder.push_back({.kind = DecoderStep::replace,
                          .content = " ",
                          .pattern = Pattern::literal(kMark),
                          .one_char = true});
  spec.decoder.push_back({.kind = DecoderStep::byte_fallback});
  spec.decoder.push_back({.kind = DecoderStep::fuse});
  if (prefix) spec.decoder.push_back({.kind = DecoderStep::strip, .content = " ", .start = 1});
}

}  // namespace

GgufTokenizerData gguf_tokenizer_data(const GgufFile& file, std::string where) {
  const auto find = [&](const char* key) {
    return file.find(std::string("tokenizer.ggml.") + key);
  };
  GgufTokenizerData data;
  data.where = std::move(where);
  if (const auto* v = find("model")) data.model = v->as_string();
  if (const auto* v = find("pre")) data.pre = v->as_string();
  if (const auto* v = find("tokens")) data.tokens = v->as_strings();
  if (const auto* v = find("merges")) data.merges = v->as_strings();
  if (const auto* v = find("scores")) {
    const std::vector<double> scores = v->as_floats();
    data.scores.assign(scores.begin(), scores.end());
  }
  if (const auto* v = find("token_type")) {
    for (const int64_t type : v->as_ints()) data.types.push_back(static_cast<int32_t>(type));
  }
  if (const auto* v = find("bos_token_id")) data.bos = v->as_int();
  if (const auto* v = find("eos_token_id")) data.eos = v->as_int();
  if (const auto* v = find("unknown_token_id")) data.unk = v->as_int();
  if (const auto* v = find("add_bos_token")) data.add_bos = v->as_bool();
  if (const auto* v = find("add_eos_token")) data.add_eos = v->as_bool();
  if (const auto* v = find("add_space_prefix")) data.add_space_prefix = v->as_bool();
  return data;
}

TokenizerSpec read_gguf_tokenizer(const GgufTokenizerData& data) {
  if (data.model != "gpt2" && data.model != "llama") {
    fail(ErrorKind::unsupported,
         "{}: tokenizer.ggml.model \"{}\" is not supported, \"gpt2\" and \"llama\" are", data.where,
         data.model);
  }
  if (data.tokens.empty()) fail(ErrorKind::format, "{}: the tokenizer has no tokens", data.where);
  if (data.tokens.size() > static_cast<size_t>(kMaxTokenId)) {
    fail(ErrorKind::format, "{}: {} tokens", data.where, data.tokens.size());
  }
  if (!data.types.empty() && data.types.size() != data.tokens.size()) {
    fail(ErrorKind::format, "{}: {} tokens but {} token types", data.where, data.tokens.size(),
         data.types.size());
  }
  TokenizerSpec spec;
  spec.where = data.where;
  bool add_bos = true;
  if (data.model == "gpt2") {
    read_byte_level(data, spec, add_bos);
  } else {
    read_sentencepiece(data, spec);
  }
  spec.bos = checked(data, data.bos, "bos_token_id");
  spec.eos = checked(data, data.eos, "eos_token_id");
  if (spec.bos && data.add_bos.value_or(add_bos)) spec.frame.insert(spec.frame.begin(), *spec.bos);
  if (spec.eos && data.add_eos.value_or(false)) spec.frame.push_back(*spec.eos);
  return spec;
}

std::unique_ptr<Tokenizer> Tokenizer::from_gguf(const GgufTokenizerData& data) {
  if (data.model == "none" || data.model == "no_vocab") return nullptr;
  return build_tokenizer(read_gguf_tokenizer(data));
}

}  // namespace ashlar
