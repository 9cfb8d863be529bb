// The pre-tokenizer chains that files name without spelling them out (GGUF's `tokenizer.ggml.pre`).
#pragma once

#include <string_view>
#include <vector>

namespace ashlar {

struct KnownPatterns {
  std::string_view names;             // separated by spaces, with one at each end
  std::vector<const char*> patterns;  // each isolates its matches, one after the other
  bool ignore_merges = false;
  bool add_bos = false;  // where the file does not say
  bool nfc = false;
};

/// Null if the name is not known.
const KnownPatterns* known_patterns(std::string_view name);

extern const char* const kKimiPattern;

}  // namespace ashlar
