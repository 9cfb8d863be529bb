// Text to token ids and back, for every kind of tokenizer file the families come with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ashlar/tokens.h"

namespace ashlar {

/// The vocabulary as GGUF metadata holds it (keys `tokenizer.ggml.*`).
struct GgufTokenizerData {
  std::string where;  // the file, for messages
  std::string model;  // .model: "gpt2", "llama"; "none" and "no_vocab" mean no tokenizer
  std::string pre;    // .pre, empty if absent
  std::vector<std::string> tokens;  // .tokens
  std::vector<float> scores;        // .scores, may be empty
  std::vector<int32_t> types;       // .token_type, may be empty; 1 normal, 2 unknown, 3 control,
                                    // 4 user defined, 5 unused, 6 byte
  std::vector<std::string> merges;  // .merges, "left right"
  std::optional<int64_t> bos, eos, unk;  // .bos_token_id, .eos_token_id, .unknown_token_id
  std::optional<bool> add_bos, add_eos;  // .add_bos_token, .add_eos_token
  std::optional<bool> add_space_prefix;  // .add_space_prefix
};

struct TextRange;
class GgufFile;
/// Reads them from a file; `where` names it. Throws Error(format) for values of the wrong type.
GgufTokenizerData gguf_tokenizer_data(const GgufFile& file, std::string where);

/// Immutable; any number of threads may use one at a time.
/// Text is UTF-8; what is not valid is read as U+FFFD, as Python's errors="replace" does.
class Tokenizer {
 public:
  /// A folder with tokenizer.json, tekken.json, tiktoken.model with tokenizer_config.json (Kimi),
  /// or vocab.json with merges.txt (GPT-2). Throws Error.
  static std::unique_ptr<Tokenizer> from_folder(const std::filesystem::path& folder);
  /// The text of a tokenizer.json; `where` names it in errors. Throws Error.
  static std::unique_ptr<Tokenizer> from_json(std::string_view tokenizer_json,
                                              std::string_view where);
  /// Null if the file says that it has no tokenizer. Throws Error.
  static std::unique_ptr<Tokenizer> from_gguf(const GgufTokenizerData& data);
  ~Tokenizer();

  std::vector<TokenId> encode(std::string_view text, EncodeOptions options = {}) const;
  /// The ids of the text alone. Special tokens, and added tokens that `control_text` holds, are
  /// recognised only where all of one lies in one of the `trusted` ranges of bytes, which ascend
  /// and do not touch; other added tokens everywhere. `text` is valid UTF-8.
  std::vector<TokenId> encode_trusting(std::string_view text, std::span<const TextRange> trusted,
                                       std::string_view control_text) const;
  /// The text of `ids`; unknown ids are skipped. Equals `decode(ids, skip_special_tokens)` of
  /// Hugging Face's tokenizers.
  std::string decode(std::span<const TokenId> ids, bool skip_special = false) const;
  /// The token as the vocabulary spells it (`Ġthe`, `▁the`, `<0x0A>`); empty for an unknown id.
  std::string piece(TokenId id) const;

  int64_t size() const;  // the highest id + 1
  std::optional<TokenId> id_of(std::string_view token) const;
  bool is_special(TokenId id) const;
  std::optional<TokenId> bos() const;
  std::optional<TokenId> eos() const;

  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);

 private:
  friend class StreamDecoder;
  std::unique_ptr<Impl> impl_;
};

/// Decodes one token at a time. Gives out only whole characters; what it gave out and finish()
/// together equal Tokenizer::decode of all the ids.
class StreamDecoder {
 public:
  /// `tokenizer` must outlive this.
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = false);
  ~StreamDecoder();
  StreamDecoder(StreamDecoder&&) noexcept;
  /// The text that is certain after `id`; may be empty.
  std::string push(TokenId id);
  /// What was held back. The decoder then stands at its beginning again.
  std::string finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ashlar
