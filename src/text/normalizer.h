// What is done to text before it is cut into words.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/pattern.h"

namespace ashlar {

struct Normalizer {
  /// `text` is valid UTF-8 and stays so.
  std::function<void(std::string& text)> apply;
  /// Whether apply() would surely leave `text` as it is; a cheap look.
  std::function<bool(std::string_view text)> leaves = [](std::string_view) { return false; };
};
using NormalizerPtr = std::shared_ptr<const Normalizer>;

enum class NormalForm { nfc, nfd, nfkc, nfkd };

NormalizerPtr unicode_normalizer(NormalForm form);
NormalizerPtr lowercase_normalizer();
NormalizerPtr strip_normalizer(bool left, bool right);
NormalizerPtr strip_accents_normalizer();
NormalizerPtr prepend_normalizer(std::string prefix);
NormalizerPtr replace_normalizer(Pattern pattern, std::string content);
/// Replaces one character of ASCII, the common case of the above.
NormalizerPtr replace_char_normalizer(char from, std::string content);
/// Spells bytes in GPT-2's alphabet.
NormalizerPtr alphabet_normalizer();
NormalizerPtr normalizer_sequence(std::vector<NormalizerPtr> parts);

}  // namespace ashlar
