// Tokens that are cut out of the text before the model sees it: special tokens and the like.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/token_map.h"

namespace ashlar {

struct AddedToken {
  std::string content;
  TokenId id = -1;
  bool special = false;
  bool normalized = false;              // matched in the normalized text
  bool lstrip = false, rstrip = false;  // takes the white space beside it along
  bool single_word = false;             // only where no word character is beside it
  bool control = false;                 // text that must not control the model must not become this
};

/// Bytes [begin, end) of a text.
struct TextRange {
  size_t begin, end;
};

/// Which added tokens a chat template uses to control the model: the special ones and those that
/// its own text holds, white space aside.
class ControlWords {
 public:
  /// `text` outlives this.
  explicit ControlWords(std::string_view text) : text_(text) {}
  bool contain(const AddedToken& token) const;

 private:
  std::string_view text_;
  mutable std::unordered_map<TokenId, bool> known_;
};

/// Where in a text control tokens may be recognised: only within one of its ranges.
class Trust {
 public:
  explicit Trust(bool everywhere) : everywhere_(everywhere) {}
  /// `ranges` ascend, do not touch, and outlive this, as `words` do.
  Trust(std::span<const TextRange> ranges, const ControlWords* words)
      : ranges_(ranges), words_(words) {}

  /// Must `token` stay text where it is not trusted?
  bool guards(const AddedToken& token) const {
    return words_ != nullptr ? words_->contain(token) : token.control;
  }
  const ControlWords* words() const { return words_; }

  bool covers(size_t begin, size_t end) const;
  bool touches(size_t begin, size_t end) const;
  bool everywhere() const { return everywhere_; }
  bool nowhere() const { return !everywhere_ && ranges_.empty(); }
  std::span<const TextRange> ranges() const { return ranges_; }

 private:
  const TextRange* first_ending_after(size_t at) const;

  bool everywhere_ = false;
  std::span<const TextRange> ranges_;
  const ControlWords* words_ = nullptr;  // null: AddedToken::control says it
};

/// Finds added tokens in text: of those that begin first, the longest.
class AddedTokenFinder {
 public:
  struct Part {
    size_t begin, end;
    const AddedToken* token;  // null: text between tokens
  };

  AddedTokenFinder() = default;
  /// `tokens` must outlive the finder. `spellings[i]` is what tokens[i] looks like in the text; an
  /// empty one is never found. Of equal spellings the first counts.
  AddedTokenFinder(const std::vector<AddedToken>& tokens,
                   const std::vector<std::string>& spellings);

  bool empty() const { return nodes_.size() <= 1; }
  /// Appends the parts of `text` (valid UTF-8) in order. Control tokens in it stay text where they
  /// are not trusted; `offset` is where the text begins in what `trust` speaks of.
  void split(std::string_view text, const Trust& trust, size_t offset,
             std::vector<Part>& parts) const;

 private:
  struct Node {
    const AddedToken* token = nullptr;
    uint32_t first_child = 0;  // into edges_
    uint32_t child_count = 0;
  };
  struct Edge {
    unsigned char byte;
    uint32_t node;
  };
  const Node* child(const Node& node, unsigned char byte) const;

  std::vector<Node> nodes_;
  std::vector<Edge> edges_;   // sorted by byte within a node
  uint32_t roots_[256] = {};  // node after the first byte, 0 if none
};

}  // namespace ashlar
