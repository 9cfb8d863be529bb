// Names of tokens to ids, compactly.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ashlar {

using TokenId = int32_t;

/// A hash of `text` good enough for tables of words.
uint64_t text_hash(std::string_view text);

class TokenMap {
 public:
  TokenMap() : slots_(16) {}
  /// Adds `text` or changes its id. Throws Error(resource) beyond 4 GiB of text.
  void set(std::string_view text, TokenId id);
  /// Adds `text` unless it is there; whether it was added.
  bool add(std::string_view text, TokenId id);
  /// Room for `tokens` of some ten bytes.
  void reserve(size_t tokens);
  /// Prefetches the slot of a text that will be set or looked up soon.
  void prefetch(std::string_view text) const;
  /// The id, or -1.
  TokenId find(std::string_view text) const;
  /// ids[i] is find(texts[i]); memory is asked for ahead, so that many cost a third of as many
  /// find().
  void find_all(std::span<const std::string_view> texts, TokenId* ids) const;

  size_t size() const { return entries_.size(); }
  /// Names in the order in which they were added.
  std::string_view name(size_t index) const { return text_of(entries_[index]); }
  TokenId id(size_t index) const { return entries_[index].id; }

 private:
  static constexpr uint32_t kFree = UINT32_MAX;
  struct Slot {
    uint32_t hash = 0, entry = kFree;
  };
  struct Entry {
    uint32_t hash, offset, size;
    TokenId id;
  };
  std::string_view text_of(const Entry& e) const {
    return std::string_view(text_).substr(e.offset, e.size);
  }
  size_t slot_of(std::string_view text, uint32_t hash) const;
  TokenId find(std::string_view text, uint32_t hash) const;
  /// The entry of `text`, new with `id` if there was none.
  std::pair<Entry&, bool> place(std::string_view text, TokenId id);
  void set_slots(size_t slots);

  std::vector<Slot> slots_;
  std::vector<Entry> entries_;
  std::string text_;
};

}  // namespace ashlar
