// Tokens back to text, a token at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/pattern.h"

namespace ashlar {

/// One component of a tokenizer.json's decoder.
struct DecoderStep {
  enum Kind {
    join,           // tokens with spaces between: what stands for "no decoder"
    byte_level,     // GPT-2's alphabet to bytes, these to text
    byte_fallback,  // runs of <0xXX> tokens to text
    fuse,           // all tokens become one
    strip,          // up to `start` and `stop` times `content` from a token's ends
    replace,        // `pattern` by `content` within each token
    metaspace,      // `content` (a mark) by a space, dropped in the first token if `start` is 1
    suffix          // `content` by a space, by nothing in the last token
  };
  Kind kind = fuse;
  std::string content;
  Pattern pattern;
  bool one_char = false;  // replace: the pattern is one character, so that parts of tokens will do
  size_t start = 0, stop = 0;
};

/// A running decode: tokens go in at the front, text comes out at the end.
class DecodeStage {
 public:
  explicit DecodeStage(std::unique_ptr<DecodeStage> next) : next_(std::move(next)) {}
  virtual ~DecodeStage() = default;
  /// A token or, with `ends` false, a part of one. Parts hold whole characters. Stages that see a
  /// token as a whole define token() alone.
  virtual void put(std::string_view text, bool ends);
  virtual void finish() { next_->finish(); }

 protected:
  virtual void token(std::string_view) {}
  std::unique_ptr<DecodeStage> next_;

 private:
  std::string parts_;
};

/// The stages for `steps`; text is appended to `out`, which must outlive them.
std::unique_ptr<DecodeStage> decode_stages(const std::vector<DecoderStep>& steps, std::string& out);

}  // namespace ashlar
