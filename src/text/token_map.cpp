// An open hash table over one block of text.
#include "text/token_map.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace ashlar {

uint64_t text_hash(std::string_view text) {
  constexpr uint64_t kMix = 0x9E3779B97F4A7C15ull;
  uint64_t h = text.size() * kMix;
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    h = (h ^ word) * kMix;
    h ^= h >> 29;
  }
  uint64_t tail = 0;
  if (i < text.size()) std::memcpy(&tail, text.data() + i, text.size() - i);
  h = (h ^ tail) * kMix;
  return h ^ h >> 32;
}

void TokenMap::set_slots(size_t slots) {
  slots_.assign(slots, {});
  const size_t mask = slots_.size() - 1;
  for (size_t e = 0; e < entries_.size(); ++e) {
    const uint32_t hash = entries_[e].hash;
    size_t slot = hash & mask;
    while (slots_[slot].entry != kFree) slot = (slot + 1) & mask;
    slots_[slot] = {hash, static_cast<uint32_t>(e)};
  }
}

void TokenMap::reserve(size_t tokens) {
  size_t slots = slots_.size();
  while (slots < tokens * 2) slots *= 2;
  if (slots > slots_.size()) set_slots(slots);
  entries_.reserve(tokens);
  text_.reserve(tokens * 10);
}

void TokenMap::prefetch(std::string_view text) const {
  __builtin_prefetch(&slots_[text_hash(text) & (slots_.size() - 1)]);
}

/// The slot of the text, or the free one where it would stand.
size_t TokenMap::slot_of(std::string_view text, uint32_t hash) const {
  const size_t mask = slots_.size() - 1;
  size_t slot = hash & mask;
  for (; slots_[slot].entry != kFree; slot = (slot + 1) & mask) {
    if (slots_[slot].hash == hash && text_of(entries_[slots_[slot].entry]) == text) break;
  }
  return slot;
}

std::pair<TokenMap::Entry&, bool> TokenMap::place(std::string_view text, TokenId id) {
  const auto hash = static_cast<uint32_t>(text_hash(text));
  Slot& slot = slots_[slot_of(text, hash)];
  if (slot.entry != kFree) return {entries_[slot.entry], false};
  if (text_.size() + text.size() > UINT32_MAX || entries_.size() + 1 >= kFree) {
    fail(ErrorKind::resource, "vocabulary: more than 4 GiB of text");
  }
  slot = {hash, static_cast<uint32_t>(entries_.size())};
  entries_.push_back(
      {hash, static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(text.size()), id});
  text_ += text;
  if (entries_.size() * 2 > slots_.size()) set_slots(slots_.size() * 2);
  return {entries_.back(), true};
}

void TokenMap::set(std::string_view text, TokenId id) { place(text, id).first.id = id; }

bool TokenMap::add(std::string_view text, TokenId id) { return place(text, id).second; }

TokenId TokenMap::find(std::string_view text) const {
  return find(text, static_cast<uint32_t>(text_hash(text)));
}

TokenId TokenMap::find(std::string_view text, uint32_t hash) const {
  const uint32_t entry = slots_[slot_of(text, hash)].entry;
  return entry == kFree ? -1 : entries_[entry].id;
}

void TokenMap::find_all(std::span<const std::string_view> texts, TokenId* ids) const {
  constexpr size_t kTogether = 64;
  const size_t mask = slots_.size() - 1;
  uint32_t hashes[kTogether];
  for (size_t begin = 0; begin < texts.size(); begin += kTogether) {
    const size_t n = std::min(kTogether, texts.size() - begin);
    for (size_t i = 0; i < n; ++i) {
      hashes[i] = static_cast<uint32_t>(text_hash(texts[begin + i]));
      __builtin_prefetch(&slots_[hashes[i] & mask]);
    }
    // Most texts are not in the table; the hash in the slot shows it without reading the entry.
    const auto entry_of = [&](size_t i) -> const Entry* {
      const Slot& slot = slots_[hashes[i] & mask];
      return slot.entry == kFree || slot.hash != hashes[i] ? nullptr : &entries_[slot.entry];
    };
    for (size_t i = 0; i < n; ++i)
      if (const Entry* e = entry_of(i)) __builtin_prefetch(e);
    for (size_t i = 0; i < n; ++i)
      if (const Entry* e = entry_of(i)) __builtin_prefetch(text_.data() + e->offset);
    for (size_t i = 0; i < n; ++i) ids[begin + i] = find(texts[begin + i], hashes[i]);
  }
}

}  // namespace ashlar
