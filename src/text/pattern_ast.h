// A regular expression as a tree, in the dialect that tokenizer files use (Oniguruma's, Rust's).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/unicode.h"

namespace ashlar {

struct PatternNode {
  enum Kind {
    empty,        // matches nothing long
    set,          // one character of `points`
    concat,       // children in order
    alternate,    // the first child that leads to a match
    repeat,       // the one child, min..max times (max < 0: without end)
    look,         // the child matches here (ahead) or ends here (behind), or does not (negative)
    atomic,       // the child's first match, never reconsidered
    text_begin,   // \A
    text_end,     // \z
    text_last,    // \Z: the end, or before a newline that ends the text
    line_begin,   // ^ (Ruby's meaning, which is what Hugging Face gets: every line)
    line_end,     // $
    word_edge,    // \b
    no_word_edge  // \B
  };
  enum Greed { greedy, lazy, possessive };

  Kind kind = empty;
  unicode::CodePoints points;
  std::vector<PatternNode> children;
  int min = 0, max = 0;
  Greed greed = greedy;
  bool negative = false, behind = false;
};

/// Parses `source`; `where` names it in errors. Throws Error(format) for what is malformed,
/// Error(unsupported) for constructs that no tokenizer file uses (back references, named calls,
/// conditionals).
PatternNode parse_pattern(std::string_view source, std::string_view where);

/// The tree in PCRE2's dialect, with every class spelled out in code points.
std::string pcre_source(const PatternNode& node);

}  // namespace ashlar
