// A tokenizer taken apart: what the readers of the file formats fill in and Tokenizer is built
// from.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/token_decoder.h"
#include "text/tokenizer.h"

namespace ashlar {

struct TokenizerSpec {
  static constexpr TokenId kText = -1;

  std::string where;  // the file, for messages
  BpeModel model;     // model.byte_level and model.never are filled in by build_tokenizer
  std::vector<AddedToken> added;                        // with ids; filled by add_token
  std::unordered_map<std::string, size_t> added_index;  // content to place in `added`
  TokenId highest_added = -1;
  NormalizerPtr normalizer;  // may be null
  std::vector<PreTokenizer> pre_tokenizers;
  bool bytes_last = false;  // after these, pieces are spelled in GPT-2's alphabet
  std::vector<DecoderStep> decoder;
  std::vector<TokenId> frame = {kText};  // what encode gives with special tokens; kText is the text
  std::optional<TokenId> bos, eos;
  bool slices = false;  // Kimi: long texts and long runs are cut before anything else
};

/// The highest id a file may name; a file that names more is broken.
inline constexpr TokenId kMaxTokenId = (1 << 24) - 1;

/// Appends `token` with the id that it has to spec.added, if no token of this spelling is there.
void place_token(TokenizerSpec& spec, AddedToken token);

/// Gives `token` the id it has in the vocabulary, or the next free one, as the reference does,
/// whatever id the file says; appends it to spec.added.
void add_token(TokenizerSpec& spec, AddedToken token);

/// Throws Error if the parts contradict each other.
std::unique_ptr<Tokenizer> build_tokenizer(TokenizerSpec spec);

/// Readers of the formats.
TokenizerSpec read_tokenizer_json(std::string_view text, std::string_view where);
TokenizerSpec read_tekken(std::string_view text, std::string_view where);
TokenizerSpec read_gpt2_files(const std::filesystem::path& folder);
TokenizerSpec read_kimi_files(const std::filesystem::path& folder);
/// Whichever of these a folder has, with the names of BOS and EOS.
TokenizerSpec read_tokenizer_folder(const std::filesystem::path& folder);
/// The vocabulary of GGUF metadata, which must be of a kind that is read.
TokenizerSpec read_gguf_tokenizer(const GgufTokenizerData& data);

/// Fills bos and eos from tokenizer_config.json and special_tokens_map.json where the folder has
/// them.
void read_special_names(const std::filesystem::path& folder, TokenizerSpec& spec);

/// Names of special tokens and what they are: {"eos_token", "<|endoftext|>"}.
using SpecialNames = std::vector<std::pair<std::string, std::string>>;
/// Adds the tokens that stand only in tokenizer_config.json, added_tokens.json and
/// special_tokens_map.json, fills in bos and eos, and what stands around a text where the config
/// says add_bos_token or add_eos_token: as AutoTokenizer does. `defaults`: names that the class of
/// the tokenizer has where no file says another. Throws Error(format).
void add_tokens_of_files(const std::filesystem::path& folder, TokenizerSpec& spec,
                         const SpecialNames& defaults = {});

}  // namespace ashlar
