// Byte pair encoding: a cache of words, a table of pairs, a scan for short words and a heap for
// long ones.
#include "text/bpe.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>

#include "base/error.h"
#include "base/utf8.h"
#include "text/scored_merges.h"

namespace ashlar {
namespace {

constexpr uint64_t kNoKey = UINT64_MAX;
constexpr uint32_t kNoRank = UINT32_MAX;
constexpr uint64_t kMix = 0x9E3779B97F4A7C15ull;
// Above this many symbols the heap is faster than looking through all of them.
constexpr size_t kShort = 48;

uint64_t pair_key(TokenId left, TokenId right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

}  // namespace

uint32_t byte_to_char(unsigned char byte) {
  static const auto table = [] {
    std::array<uint32_t, 256> out{};
    uint32_t next = 256;
    for (uint32_t b = 0; b < 256; ++b) {
      const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
      out[b] = printable ? b : next++;
    }
    return out;
  }();
  return table[byte];
}

int char_to_byte(uint32_t c) {
  static const auto table = [] {
    std::array<int16_t, 324> out;
    out.fill(-1);
    for (int b = 0; b < 256; ++b) {
      out[byte_to_char(static_cast<unsigned char>(b))] = static_cast<int16_t>(b);
    }
    return out;
  }();
  return c < table.size() ? table[c] : -1;
}

std::optional<std::string> alphabet_to_bytes(std::string_view token) {
  std::string out;
  for (size_t i = 0; i < token.size();) {
    const int byte = char_to_byte(utf8::next(token, i));
    if (byte < 0) return std::nullopt;
    out.push_back(static_cast<char>(byte));
  }
  return out;
}

std::string bytes_to_alphabet(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 4);
  for (char c : bytes) utf8::append(byte_to_char(static_cast<unsigned char>(c)), out);
  return out;
}

std::vector<BpeModel::Merge> merges_from_ranks(const TokenMap& vocab) {
  std::vector<size_t> order(vocab.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return vocab.id(a) < vocab.id(b); });
  std::vector<BpeModel::Merge> merges;
  for (const size_t token : order) {
    const std::string_view text = vocab.name(token);
    // A token of many kilobytes in a hostile file must not cost its square.
    if (text.size() > 4096) continue;
    for (size_t cut = 1; cut < text.size(); ++cut) {
      const TokenId left = vocab.find(text.substr(0, cut));
      if (left < 0) continue;
      const TokenId right = vocab.find(text.substr(cut));
      if (right >= 0) merges.push_back({left, right, vocab.id(token)});
    }
  }
  return merges;
}

bool Bpe::suits_bytes(const BpeModel& model) {
  if (!model.continuing_prefix.empty() || !model.end_suffix.empty()) return false;
  if (model.unk_token.empty() && !model.byte_fallback) return true;
  std::array<bool, 256> have{};
  for (size_t token = 0; token < model.vocab.size(); ++token) {
    const std::string_view text = model.vocab.name(token);
    size_t i = 0;
    if (text.empty() || utf8::length(static_cast<unsigned char>(text[0])) != text.size()) continue;
    if (const int byte = char_to_byte(utf8::next(text, i)); byte >= 0)
      have[static_cast<size_t>(byte)] = true;
  }
  return std::all_of(have.begin(), have.end(), [](bool h) { return h; });
}

Bpe::Bpe(const BpeModel& model, std::string_view where)
    : byte_level_(model.byte_level),
      byte_fallback_(model.byte_fallback),
      fuse_unk_(model.fuse_unk),
      ignore_merges_(model.ignore_merges),
      continuing_prefix_(model.continuing_prefix),
      end_suffix_(model.end_suffix),
      never_(model.never) {
  byte_ids_.fill(-1);
  ascii_ids_.fill(-1);
  const bool by_text = ignore_merges_ || !continuing_prefix_.empty() || !end_suffix_.empty();
  std::sort(never_.begin(), never_.end());
  const auto barred = [&](TokenId id) {
    return std::binary_search(never_.begin(), never_.end(), id);
  };
  bool unk_found = model.unk_token.empty();
  for (size_t token = 0; token < model.vocab.size(); ++token) {
    const std::string_view text = model.vocab.name(token);
    const TokenId id = model.vocab.id(token);
    if (id < 0) fail(ErrorKind::format, "{}: token \"{}\" has id {}", where, text, id);
    if (text == model.unk_token && !text.empty()) {
      unk_ = id;
      unk_found = true;
    }
    std::string bytes;
    if (byte_level_) {
      auto spelled = alphabet_to_bytes(text);
      if (!spelled) continue;  // no sequence of bytes spells it
      bytes = std::move(*spelled);
    } else {
      bytes = text;
    }
    if (bytes.empty()) continue;
    if (by_text && !barred(id)) words_.set(bytes, id);
    if (byte_level_) {
      if (bytes.size() == 1) byte_ids_[static_cast<unsigned char>(bytes[0])] = id;
      continue;
    }
    if (utf8::length(static_cast<unsigned char>(bytes[0])) == bytes.size()) {
      size_t i = 0;
      const uint32_t c = utf8::next(bytes, i);
      if (c < 128) ascii_ids_[c] = id;
      char_ids_[c] = id;
    }
  }
  for (size_t b = 0; b < 256 && !byte_level_; ++b)
    byte_ids_[b] = model.vocab.find(fmt::format("<0x{:02X}>", b));
  if (!unk_found) {
    fail(ErrorKind::format, "{}: the unknown token \"{}\" is not in the vocabulary", where,
         model.unk_token);
  }
  if (!model.scores.empty()) {
    scored_ = std::make_unique<ScoredMerges>(model);
    return;
  }
  if (model.merges.size() >= (size_t{1} << 31)) {
    fail(ErrorKind::resource, "{}: {} merges", where, model.merges.size());
  }
  uint32_t bits = 4;
  while ((size_t{1} << bits) < model.merges.size() * 2) ++bits;
  pairs_.assign(size_t{1} << bits, {kNoKey, kNoRank, -1});
  pair_shift_ = 64 - bits;
  const size_t mask = pairs_.size() - 1;
  constexpr size_t kAhead = 16;  // the table is larger than caches: its slots are asked for
  for (size_t rank = 0; rank < model.merges.size(); ++rank) {
    const auto& m = model.merges[rank];
    const auto& later = model.merges[std::min(rank + kAhead, model.merges.size() - 1)];
    __builtin_prefetch(&pairs_[pair_key(later.left, later.right) * kMix >> pair_shift_], 1);
    if (m.left < 0 || m.right < 0 || m.result < 0) {
      fail(ErrorKind::format, "{}: merge {} names a negative id", where, rank);
    }
    if (barred(m.result)) continue;
    const uint64_t key = pair_key(m.left, m.right);
    size_t slot = key * kMix >> pair_shift_;
    while (pairs_[slot].key != kNoKey && pairs_[slot].key != key) slot = (slot + 1) & mask;
    pairs_[slot] = {key, static_cast<uint32_t>(rank),
                    m.result};  // of two equal pairs the last counts
  }
}

Bpe::~Bpe() = default;

const Bpe::Pair* Bpe::find_scored(TokenId left, TokenId right, BpeScratch& scratch) const {
  if (scratch.pairs_.empty()) scratch.pairs_.assign(BpeScratch::kPairs, {kNoKey, kNoRank, -1});
  const uint64_t key = pair_key(left, right);
  Pair& pair = scratch.pairs_[key * kMix >> 48];
  static_assert(BpeScratch::kPairs == size_t{1} << 16);
  if (pair.key != key) {
    const ScoredMerges::Merge merge = scored_->find(left, right, scratch.room_);
    const bool barred = std::binary_search(never_.begin(), never_.end(), merge.result);
    pair = {key, merge.rank, barred ? -1 : merge.result};
  }
  return pair.result < 0 ? nullptr : &pair;
}

const Bpe::Pair* Bpe::find_pair(TokenId left, TokenId right, BpeScratch& scratch) const {
  if (scored_) return find_scored(left, right, scratch);
  const uint64_t key = pair_key(left, right);
  const size_t mask = pairs_.size() - 1;
  for (size_t slot = key * kMix >> pair_shift_;; slot = (slot + 1) & mask) {
    const Pair& pair = pairs_[slot];
    if (pair.key == key) return &pair;
    if (pair.key == kNoKey) return nullptr;
  }
}

void Bpe::encode(std::string_view word, BpeScratch& scratch, std::vector<TokenId>& out) const {
  constexpr size_t kMost = sizeof(BpeScratch::Entry::word);
  if (word.empty()) return;
  if (word.size() > kMost) return encode_new(word, scratch, out);
  std::array<uint64_t, 3> key{};
  if (word.size() <= 8) {
    // Two overlapping loads instead of a call for a few bytes.
    const char* p = word.data();
    const size_t n = word.size();
    if (n >= 4) {
      uint32_t a, b;
      std::memcpy(&a, p, 4);
      std::memcpy(&b, p + n - 4, 4);
      key[0] = a | static_cast<uint64_t>(b) << (8 * (n - 4));
    } else {
      const auto byte = [&](size_t i) {
        return static_cast<uint64_t>(static_cast<unsigned char>(p[i]));
      };
      key[0] = byte(0) | byte(n / 2) << (8 * (n / 2)) | byte(n - 1) << (8 * (n - 1));
    }
  } else {
    std::memcpy(key.data(), word.data(), word.size());
  }
  uint64_t h = (key[0] + word.size()) * kMix;
  h = (h ^ h >> 32 ^ key[1]) * kMix;
  h = (h ^ h >> 32 ^ key[2]) * kMix;
  BpeScratch::Entry& entry = scratch.entries_[h >> 49];
  static_assert(BpeScratch::kEntries == size_t{1} << 15);
  if (entry.size == word.size() && entry.word == key) {
    out.insert(out.end(), entry.ids.begin(), entry.ids.begin() + entry.count);
    return;
  }
  const size_t before = out.size();
  encode_new(word, scratch, out);
  const size_t count = out.size() - before;
  if (count > entry.ids.size()) return;
  entry.word = key;
  entry.size = static_cast<uint8_t>(word.size());
  entry.count = static_cast<uint8_t>(count);
  std::copy_n(out.begin() + static_cast<std::ptrdiff_t>(before), count, entry.ids.begin());
}

void Bpe::encode_new(std::string_view word, BpeScratch& scratch, std::vector<TokenId>& out) const {
  if (ignore_merges_) {
    if (const TokenId id = words_.find(word); id >= 0) return out.push_back(id);
  }
  std::vector<TokenId>& ids = scratch.ids_;
  ids.clear();
  spell(word, ids);
  if (ids.size() > kShort) {
    merge_long(ids, scratch);
  } else {
    merge_short(ids, scratch);
  }
  out.insert(out.end(), ids.begin(), ids.end());
}

void Bpe::spell(std::string_view word, std::vector<TokenId>& ids) const {
  if (byte_level_) {
    for (char c : word) {
      const TokenId id = byte_ids_[static_cast<unsigned char>(c)];
      if (id >= 0) ids.push_back(id);
    }
    return;
  }
  const bool decorated = !continuing_prefix_.empty() || !end_suffix_.empty();
  TokenId pending = -1;  // an unk that further unknown characters may join
  std::string symbol;
  for (size_t i = 0; i < word.size();) {
    const size_t begin = i;
    const uint32_t c = utf8::next(word, i);
    std::string_view text = word.substr(begin, i - begin);
    TokenId id = -1;
    if (decorated) {
      symbol = begin > 0 ? continuing_prefix_ : std::string();
      symbol += text;
      if (i == word.size()) symbol += end_suffix_;
      text = symbol;
      id = words_.find(text);
    } else if (c < 128) {
      id = ascii_ids_[c];
    } else if (const auto found = char_ids_.find(c); found != char_ids_.end()) {
      id = found->second;
    }
    if (id >= 0) {
      if (pending >= 0) ids.push_back(pending);
      pending = -1;
      ids.push_back(id);
      continue;
    }
    if (byte_fallback_) {
      const auto known = [&](char b) { return byte_ids_[static_cast<unsigned char>(b)] >= 0; };
      if (std::all_of(text.begin(), text.end(), known)) {
        // A pending unk stays pending, and so comes after these bytes: as the reference has it.
        for (char b : text) ids.push_back(byte_ids_[static_cast<unsigned char>(b)]);
        continue;
      }
    }
    if (unk_ < 0) continue;
    if (pending >= 0 && !fuse_unk_) ids.push_back(pending);
    pending = unk_;
  }
  if (pending >= 0) ids.push_back(pending);
}

void Bpe::merge_short(std::vector<TokenId>& ids, BpeScratch& scratch) const {
  size_t n = ids.size();
  uint32_t ranks[kShort];
  TokenId merged[kShort];
  const auto look = [&](size_t i) {
    const Pair* pair = find_pair(ids[i], ids[i + 1], scratch);
    ranks[i] = pair ? pair->rank : kNoRank;
    merged[i] = pair ? pair->result : -1;
  };
  for (size_t i = 0; i + 1 < n; ++i) look(i);
  while (n > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; ++i) {
      if (ranks[i] < ranks[best]) best = i;
    }
    if (ranks[best] == kNoRank) break;
    ids[best] = merged[best];
    for (size_t i = best + 1; i + 1 < n; ++i) {
      ids[i] = ids[i + 1];
      ranks[i] = ranks[i + 1];
      merged[i] = merged[i + 1];
    }
    --n;
    if (best > 0) look(best - 1);
    if (best + 1 < n) look(best);
  }
  ids.resize(n);
}

// A linked list of symbols and a heap of (rank, position): n log n.
void Bpe::merge_long(std::vector<TokenId>& ids, BpeScratch& scratch) const {
  const size_t n = ids.size();
  if (n >= UINT32_MAX) fail(ErrorKind::resource, "a word of {} symbols is too long to merge", n);
  constexpr uint32_t kEnd = UINT32_MAX;
  std::vector<BpeScratch::Symbol>& symbols = scratch.symbols_;
  std::vector<uint64_t>& queue = scratch.queue_;
  symbols.resize(n);
  queue.clear();
  const auto later = std::greater<uint64_t>();
  const auto look = [&](uint32_t i) {
    BpeScratch::Symbol& s = symbols[i];
    const Pair* pair = s.next == kEnd ? nullptr : find_pair(s.id, symbols[s.next].id, scratch);
    s.rank = pair ? pair->rank : kNoRank;
    s.merged = pair ? pair->result : -1;
    return pair != nullptr;
  };
  for (size_t i = 0; i < n; ++i) {
    symbols[i].id = ids[i];
    symbols[i].previous = i == 0 ? kEnd : static_cast<uint32_t>(i - 1);
    symbols[i].next = i + 1 == n ? kEnd : static_cast<uint32_t>(i + 1);
  }
  const auto entry = [&](uint32_t i) { return static_cast<uint64_t>(symbols[i].rank) << 32 | i; };
  for (uint32_t i = 0; i < n; ++i) {
    if (look(i)) queue.push_back(entry(i));
  }
  std::make_heap(queue.begin(), queue.end(), later);
  const auto push = [&](uint32_t i) {
    if (!look(i)) return;
    queue.push_back(entry(i));
    std::push_heap(queue.begin(), queue.end(), later);
  };
  while (!queue.empty()) {
    const uint64_t top = queue.front();
    std::pop_heap(queue.begin(), queue.end(), later);
    queue.pop_back();
    const auto i = static_cast<uint32_t>(top);
    BpeScratch::Symbol& s = symbols[i];
    if (s.id < 0 || s.rank != static_cast<uint32_t>(top >> 32)) continue;  // merged since
    BpeScratch::Symbol& gone = symbols[s.next];
    s.id = s.merged;
    s.next = gone.next;
    gone.id = -1;
    if (s.next != kEnd) symbols[s.next].previous = i;
    push(i);
    if (s.previous != kEnd) push(s.previous);
  }
  ids.clear();
  for (uint32_t i = 0; i != kEnd; i = symbols[i].next) ids.push_back(symbols[i].id);
  if (n > 4096) {
    symbols = {};
    queue = {};
  }
}

}  // namespace ashlar
