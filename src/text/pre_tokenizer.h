// Cutting text into the words that the model sees one at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "text/pattern.h"

namespace ashlar {

/// The text of one segment and the words it is cut into so far.
struct Pieces {
  struct Span {
    size_t begin, end;
  };
  std::string_view text;
  std::vector<Span> spans;
  bool at_start = true;  // the segment begins the whole input
  std::string storage;   // holds `text` once a step has rewritten it
  std::vector<Span> spare;

  void start(std::string_view segment, bool is_first) {
    text = segment;
    at_start = is_first;
    spans.assign(1, {0, segment.size()});
  }
};

/// Cuts the pieces further, or rewrites them.
using PreTokenizer = std::function<void(Pieces& pieces)>;

enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

PreTokenizer split_pre_tokenizer(Pattern pattern, SplitBehavior behavior, bool invert);
/// Splits at the characters for which `is_delimiter` holds, each a match of its own.
PreTokenizer char_pre_tokenizer(bool (*is_delimiter)(uint32_t), SplitBehavior behavior);
/// A space before every piece that has none.
PreTokenizer space_prefix_pre_tokenizer();
/// Spells the pieces' bytes in GPT-2's alphabet.
PreTokenizer alphabet_pre_tokenizer();

enum class Prepend { never, first, always };
/// Spaces become `replacement`, one is put in front, and pieces begin at every one.
PreTokenizer metaspace_pre_tokenizer(const std::string& replacement, Prepend prepend, bool split);

/// Cuts before every run of `mark` that follows a character not in `joins`. For models in which no
/// merge joins other characters with `mark`, so that words may be cut there without any effect but
/// speed.
PreTokenizer mark_pre_tokenizer(std::string mark, std::vector<uint32_t> joins);

/// The pattern of GPT-2's byte-level pre-tokenizer.
extern const char* const kGpt2Pattern;

}  // namespace ashlar
