// Readers of tekken.json, Kimi's tiktoken.model, GPT-2's vocab.json and merges.txt, and the names
// of BOS and EOS.
#include <array>
#include <charconv>

#include "base/error.h"
#include "base/json.h"
#include "base/regular_file.h"
#include "base/utf8.h"
#include "text/files_json.h"
#include "text/known_patterns.h"
#include "text/tokenizer_spec.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> decode_base64(std::string_view text) {
  static const auto kValues = [] {
    std::array<int, 256> out;
    out.fill(-1);
    const std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < digits.size(); ++i)
      out[static_cast<unsigned char>(digits[i])] = static_cast<int>(i);
    return out;
  }();
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    const int value = kValues[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>(bits >> count & 255));
  }
  return out;
}

void split_by(TokenizerSpec& spec, std::string_view pattern) {
  spec.pre_tokenizers.push_back(
      split_pre_tokenizer(Pattern::regex(pattern, spec.where), SplitBehavior::isolated, false));
  spec.bytes_last = true;
  spec.decoder.push_back({.kind = DecoderStep::byte_level});
}

}  // namespace

TokenizerSpec read_tekken(std::string_view text, std::string_view where) {
  const PlainJson json = parse_plain(text, where);
  const auto wrong = [&](std::string_view what) { fail(ErrorKind::format, "{}: {}", where, what); };
  if (!json.is_object() || !json.contains("config") || !json["config"].is_object() ||
      !json.contains("vocab") || !json["vocab"].is_array()) {
    wrong("expected an object with \"config\" and \"vocab\"");
  }
  const PlainJson& config = json["config"];
  const int64_t specials = number_at(config, "default_num_special_tokens", -1);
  const int64_t size = number_at(config, "default_vocab_size", -1);
  if (specials < 0 || size < specials || size > kMaxTokenId)
    wrong("config: absurd sizes of the vocabulary");
  TokenizerSpec spec;
  spec.where = where;
  const auto& vocab = json["vocab"];
  const auto kept = std::min(vocab.size(), static_cast<size_t>(size - specials));
  for (size_t i = 0; i < kept; ++i) {
    const PlainJson& token = vocab[i];
    if (!token.is_object() || number_at(token, "rank", -1) != static_cast<int64_t>(i)) {
      fail(ErrorKind::format, "{}: vocab[{}]: expected a token of rank {}", where, i, i);
    }
    const auto bytes = decode_base64(text_at(token, "token_bytes"));
    if (!bytes || bytes->empty())
      fail(ErrorKind::format, "{}: vocab[{}].token_bytes is not base64", where, i);
    spec.model.vocab.set(bytes_to_alphabet(*bytes),
                         static_cast<TokenId>(specials + static_cast<int64_t>(i)));
  }
  spec.model.merges = merges_from_ranks(spec.model.vocab);
  spec.model.ignore_merges = true;
  static constexpr const char* kNames[] = {"<unk>",
                                           "<s>",
                                           "</s>",
                                           "[INST]",
                                           "[/INST]",
                                           "[AVAILABLE_TOOLS]",
                                           "[/AVAILABLE_TOOLS]",
                                           "[TOOL_RESULTS]",
                                           "[/TOOL_RESULTS]",
                                           "[TOOL_CALLS]",
                                           "[IMG]",
                                           "<pad>",
                                           "[IMG_BREAK]",
                                           "[IMG_END]",
                                           "[PREFIX]",
                                           "[MIDDLE]",
                                           "[SUFFIX]",
                                           "[SYSTEM_PROMPT]",
                                           "[/SYSTEM_PROMPT]",
                                           "[TOOL_CONTENT]"};
  std::vector<std::string> names(static_cast<size_t>(specials));
  for (size_t i = 0; i < names.size(); ++i) names[i] = fmt::format("<SPECIAL_{}>", i);
  if (const auto listed = json.find("special_tokens"); listed != json.end() && listed->is_array()) {
    for (const PlainJson& token : *listed) {
      const int64_t rank = token.is_object() ? number_at(token, "rank", -1) : -1;
      if (rank < 0 || rank >= specials)
        wrong("special_tokens: a token without a rank among the special ones");
      names[static_cast<size_t>(rank)] = text_at(token, "token_str");
    }
  } else {
    for (size_t i = 0; i < std::min(names.size(), std::size(kNames)); ++i) names[i] = kNames[i];
  }
  for (size_t i = 0; i < names.size(); ++i) {
    AddedToken token;
    token.content = names[i];
    token.id = static_cast<TokenId>(i);
    token.special = true;
    place_token(spec, std::move(token));
    if (names[i] == "<s>") spec.bos = static_cast<TokenId>(i);
    if (names[i] == "</s>") spec.eos = static_cast<TokenId>(i);
  }
  split_by(spec, text_at(config, "pattern"));
  if (spec.bos) spec.frame.insert(spec.frame.begin(), *spec.bos);
  return spec;
}

TokenizerSpec read_kimi_files(const fs::path& folder) {
  const fs::path file = folder / "tiktoken.model";
  const std::string text = read_regular_file(file, size_t{1} << 30);
  TokenizerSpec spec;
  spec.where = file.string();
  TokenId count = 0;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const size_t space = line.find(' ');
    const auto bytes = decode_base64(line.substr(0, space));
    TokenId rank = -1;
    if (space != std::string_view::npos) {
      std::from_chars(line.data() + space + 1, line.data() + line.size(), rank);
    }
    if (!bytes || bytes->empty() || rank < 0 || rank > kMaxTokenId) {
      fail(ErrorKind::format, "{}: line {} is not a token in base64 and its rank", file.string(),
           count + 1);
    }
    spec.model.vocab.set(bytes_to_alphabet(*bytes), rank);
    ++count;
  }
  if (count == 0) fail(ErrorKind::format, "{}: holds no tokens", file.string());
  spec.model.merges = merges_from_ranks(spec.model.vocab);
  spec.model.ignore_merges = true;
  constexpr TokenId kReserved = 256;
  std::vector<AddedToken> specials(kReserved);
  for (TokenId i = 0; i < kReserved; ++i) {
    AddedToken& token = specials[static_cast<size_t>(i)];
    token.id = count + i;
    token.content = fmt::format("<|reserved_token_{}|>", token.id);
    token.special = true;
  }
  if (const auto config = read_optional(folder / "tokenizer_config.json")) {
    read_added(*config, (folder / "tokenizer_config.json").string(),
               [&](int64_t id, AddedToken token) {
                 if (id < count || id >= count + kReserved || token.content.empty()) return;
                 token.id = static_cast<TokenId>(id);
                 token.normalized = token.lstrip = token.rstrip = token.single_word = false;
                 specials[static_cast<size_t>(id - count)] = std::move(token);
               });
  }
  for (AddedToken& token : specials) place_token(spec, std::move(token));
  split_by(spec, kKimiPattern);
  spec.slices = true;
  return spec;
}

namespace {

/// Whether the class of the tokenizer is Qwen2's, by what tokenizer_config.json says or else by the
/// model's type.
bool is_qwen(const fs::path& folder, const std::optional<PlainJson>& tokenizer_config) {
  if (const std::string kind =
          tokenizer_config ? text_at(*tokenizer_config, "tokenizer_class") : "";
      !kind.empty())
    return kind.starts_with("Qwen2");
  const auto config = read_optional(folder / "config.json");
  const std::string type = config ? text_at(*config, "model_type") : "";
  return type.starts_with("qwen2") || type.starts_with("qwen3");
}

}  // namespace

TokenizerSpec read_gpt2_files(const fs::path& folder) {
  const fs::path vocab_file = folder / "vocab.json", merges_file = folder / "merges.txt";
  const std::string merges = read_regular_file(merges_file, size_t{1} << 30);
  const auto config = read_optional(folder / "tokenizer_config.json");
  const bool qwen = is_qwen(folder, config);
  PlainJson merge_list = PlainJson::array();
  size_t number = 0;
  for (size_t at = 0; at < merges.size();) {
    size_t end = merges.find('\n', at);
    if (end == std::string::npos) end = merges.size();
    std::string line = merges.substr(at, end - at);
    at = end + 1;
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || (number++ == 0 && line.starts_with("#version"))) continue;
    if (utf8::valid_prefix(line) != line.size()) {
      fail(ErrorKind::format, "{}: line {} is not UTF-8", merges_file.string(), number);
    }
    merge_list.push_back(std::move(line));
  }
  PlainJson root = {{"normalizer", nullptr},
                    {"pre_tokenizer",
                     {{"type", "ByteLevel"},
                      {"add_prefix_space", config && flag_at(*config, "add_prefix_space", false)}}},
                    {"decoder", {{"type", "ByteLevel"}}}};
  if (qwen) {
    root["normalizer"] = {{"type", "NFC"}};
    root["pre_tokenizer"] = {
        {"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "Split"},
           {"pattern", {{"Regex", known_patterns("qwen2")->patterns[0]}}},
           {"behavior", "Isolated"}},
          {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}};
  }
  std::string text = root.dump();
  text.pop_back();
  text += R"(,"model":{"type":"BPE","vocab":)" + read_regular_file(vocab_file, size_t{1} << 30) +
          R"(,"merges":)" + merge_list.dump() + "}}";
  TokenizerSpec spec = read_tokenizer_json(text, vocab_file.string());
  // What the classes of these tokenizers name where the files do not.
  constexpr const char* kEnd = "<|endoftext|>";
  SpecialNames names{{"unk_token", kEnd}, {"eos_token", kEnd}};
  names.emplace_back(qwen ? "pad_token" : "bos_token", kEnd);
  add_tokens_of_files(folder, spec, names);
  return spec;
}

}  // namespace ashlar
