// Parts of a tokenizer.json as tests put them together.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/json.h"
#include "text/tokenizer.h"

namespace ashlar::testing {

/// An entry of added_tokens; `strips`: it takes the white space beside it along.
inline Json added_token(int64_t id, const std::string& content, bool special, bool strips = false) {
  return {{"id", id},         {"content", content},  {"single_word", false}, {"lstrip", strips},
          {"rstrip", strips}, {"normalized", false}, {"special", special}};
}

/// Merges of characters, with these tokens beside them, and nothing around.
inline std::unique_ptr<Tokenizer> plain_tokenizer(const Json& vocab, const Json& merges,
                                                  const Json& added) {
  const Json file = {{"version", "1.0"},
                     {"added_tokens", added},
                     {"normalizer", nullptr},
                     {"pre_tokenizer", nullptr},
                     {"post_processor", nullptr},
                     {"decoder", {{"type", "Fuse"}}},
                     {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}}};
  return Tokenizer::from_json(file.dump(), "plain");
}

}  // namespace ashlar::testing
