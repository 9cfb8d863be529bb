// A trie of the added tokens' spellings.
#include "text/added_tokens.h"

#include <algorithm>

#include "base/character_runs.h"
#include "base/utf8.h"
#include "text/unicode.h"

namespace ashlar {

bool ControlWords::contain(const AddedToken& token) const {
  if (token.special) return true;
  const auto [found, added] = known_.try_emplace(token.id, false);
  if (added && text_.find(token.content) != std::string_view::npos) {
    found->second = utf8::end_of_run(token.content, 0, unicode::is_space) < token.content.size();
  }
  return found->second;
}

const TextRange* Trust::first_ending_after(size_t at) const {
  const auto found =
      std::lower_bound(ranges_.begin(), ranges_.end(), at,
                       [](const TextRange& r, size_t place) { return r.end <= place; });
  return found == ranges_.end() ? nullptr : &*found;
}

bool Trust::covers(size_t begin, size_t end) const {
  if (everywhere_) return true;
  const TextRange* range = first_ending_after(begin);
  return range != nullptr && range->begin <= begin && end <= range->end;
}

bool Trust::touches(size_t begin, size_t end) const {
  if (everywhere_) return true;
  const TextRange* range = first_ending_after(begin);
  return range != nullptr && range->begin < end;
}

AddedTokenFinder::AddedTokenFinder(const std::vector<AddedToken>& tokens,
                                   const std::vector<std::string>& spellings) {
  // Sorted spellings make the trie's nodes in the order of a walk through it: level by level.
  struct Item {
    std::string_view text;
    size_t index;
  };
  std::vector<Item> items;
  for (size_t i = 0; i < spellings.size(); ++i) {
    if (!spellings[i].empty()) items.push_back({spellings[i], i});
  }
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return a.text != b.text ? a.text < b.text : a.index < b.index;
  });
  nodes_.emplace_back();
  struct Task {
    uint32_t node;
    size_t begin, end, depth;  // the items that share the node's `depth` bytes
  };
  std::vector<Task> tasks = {{0, 0, items.size(), 0}};
  for (size_t t = 0; t < tasks.size(); ++t) {
    Task task = tasks[t];
    while (task.begin < task.end && items[task.begin].text.size() == task.depth) {
      if (nodes_[task.node].token == nullptr) {
        nodes_[task.node].token = &tokens[items[task.begin].index];
      }
      ++task.begin;
    }
    nodes_[task.node].first_child = static_cast<uint32_t>(edges_.size());
    while (task.begin < task.end) {
      const auto byte = static_cast<unsigned char>(items[task.begin].text[task.depth]);
      size_t end = task.begin;
      while (end < task.end && static_cast<unsigned char>(items[end].text[task.depth]) == byte)
        ++end;
      const auto node = static_cast<uint32_t>(nodes_.size());
      nodes_.emplace_back();
      edges_.push_back({byte, node});
      ++nodes_[task.node].child_count;
      if (task.node == 0) roots_[byte] = node;
      tasks.push_back({node, task.begin, end, task.depth + 1});
      task.begin = end;
    }
  }
}

const AddedTokenFinder::Node* AddedTokenFinder::child(const Node& node, unsigned char byte) const {
  const Edge* begin = edges_.data() + node.first_child;
  const Edge* end = begin + node.child_count;
  const Edge* edge =
      std::lower_bound(begin, end, byte, [](const Edge& e, unsigned char b) { return e.byte < b; });
  return edge != end && edge->byte == byte ? &nodes_[edge->node] : nullptr;
}

void AddedTokenFinder::split(std::string_view text, const Trust& trust, size_t offset,
                             std::vector<Part>& parts) const {
  size_t done = 0;
  const auto byte_at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  for (size_t i = 0; !empty() && i < text.size();) {
    const uint32_t root = roots_[byte_at(i)];
    if (root == 0) {
      ++i;
      continue;
    }
    const AddedToken* token = nullptr;
    size_t end = i, refused = i;
    const Node* node = &nodes_[root];
    for (size_t at = i + 1; node != nullptr; ++at) {
      if (node->token != nullptr) {
        // A token that lies partly in trusted text must not hide a shorter one that lies in it.
        const bool partly = trust.guards(*node->token) && !trust.covers(offset + i, offset + at) &&
                            trust.touches(offset + i, offset + at);
        if (partly) {
          refused = at;
        } else {
          token = node->token;
          end = at;
        }
      }
      if (at == text.size()) break;
      node = child(*node, byte_at(at));
    }
    if (token == nullptr) {
      ++i;
      continue;
    }
    size_t begin = i;
    // A guarded token stays text. In a chat it still ends the words beside it, as it does where it
    // is a token.
    const bool guarded = trust.guards(*token) && !trust.covers(offset + begin, offset + end);
    if (guarded && (trust.words() == nullptr || refused > end)) {
      i = refused > end ? i + 1 : end;
      continue;
    }
    i = end;
    if (token->single_word) {
      size_t at = begin;
      if (begin > 0 &&
          (at = utf8::previous(text, begin), unicode::is_rust_word(utf8::next(text, at)))) {
        continue;
      }
      at = end;
      if (end < text.size() && unicode::is_rust_word(utf8::next(text, at))) continue;
    }
    if (token->lstrip) {
      begin = std::max(utf8::begin_of_run(text, done, begin, unicode::is_space), done);
    }
    if (token->rstrip) end = utf8::end_of_run(text, end, unicode::is_space);
    if (done < begin) parts.push_back({done, begin, nullptr});
    parts.push_back({begin, end, guarded ? nullptr : token});
    done = end;
  }
  if (done < text.size()) parts.push_back({done, text.size(), nullptr});
}

}  // namespace ashlar
