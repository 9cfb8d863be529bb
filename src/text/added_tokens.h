// Tokens that are cut out of the text before the model sees it: special tokens and the like.
#pragma once

#include <cstdint>
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
  /// Appends the parts of `text` (valid UTF-8) in order. With `controls` false the control tokens
  /// in it stay text.
  void split(std::string_view text, bool controls, std::vector<Part>& parts) const;

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
